//! The pages: typed views over dumb templates, in Chinese and English, with samples.
//!
//! A view is plain data and says nothing about rules: whoever makes it has decided already. Every
//! text stands in [`Text`] in both languages, every view shows itself with made-up data in
//! [`gallery`], and a test walks the whole gallery.

mod account;
mod asset;
mod consent;
mod control;
mod demo;
mod dev;
mod fact;
mod flows;
mod handset;
mod lang;
mod login;
mod page;
mod part;
mod rooms;
mod sample;
mod scan;
mod sign;
mod text;

pub use account::{Account, Done, GrantRow, ProfileForm, Sex};
pub use asset::{Asset, asset, asset_names, asset_url, is_of_sandbox};
pub use consent::Consent;
pub use control::{CONTROL_WORDS, Control, FaultField, FaultKind};
pub use demo::{DemoError, DemoHome, DemoNative, NativeCode};
pub use dev::{DevClient, DevCodes, DevLocked, DevStart, Inbox, InboxItem, IssuedCode};
pub use fact::Fact;
use flows::places;
pub use flows::{FLOW_WORDS, Flows, Word};
pub use handset::Handset;
pub use lang::Lang;
pub use login::{Answer, LoginForm, Question};
pub use page::{ErrorPage, Plain, Trouble};
pub use part::{Age, App, DevPerson, Face, Field, Moment, Person, Problem, Share};
pub use rooms::{
    DemoAsk, DemoDevice, DemoDevices, DemoDone, DemoFrame, DemoLogin, DemoMe, DemoPhone,
    DemoQuestion, DemoSecurity, DemoStep, WireCall,
};
pub use sample::{CSRF, HOSTILE, PIXEL, Sample};
pub use scan::{Ink, Scan, ScanDone, ScanEnd, ScanState, SelfRedirect};
pub use sign::{By, ChangePassword, Passcode, PhoneStep, ResetPassword, SignIn, SignUp};
pub use text::Text;

/// Writes a template. Writing to a string cannot fail, and no template calls anything that can.
fn rendered(view: &impl askama::Template) -> String {
    view.render().unwrap_or_default()
}

macro_rules! views {
    ($($view:ident),* $(,)?) => {
        $(impl $view {
            /// The whole page as HTML.
            #[must_use]
            pub fn render(&self) -> String {
                rendered(self)
            }
        })*

        /// Every view × sample × language, as (file name, HTML). The names read
        /// `consent.native.zh.html`.
        #[must_use]
        pub fn gallery() -> Vec<(String, String)> {
            let mut pages = Vec::new();
            $(show::<$view>(&mut pages);)*
            pages
        }
    };
}

views! {
    SignIn, Passcode, SignUp, ResetPassword, ChangePassword,
    Scan, ScanDone, Consent, ErrorPage, Plain, Account,
    LoginForm, Question,
    DevStart, Inbox, DevCodes, DevLocked, Handset, Flows, Fact, Control,
    DemoHome, DemoError, DemoNative,
    DemoPhone, DemoQuestion, DemoMe, DemoDevices, DemoSecurity,
}

fn show<V: Sample>(pages: &mut Vec<(String, String)>) {
    for lang in Lang::ALL {
        for (name, view) in V::samples(lang) {
            pages.push((
                format!("{}.{name}.{}.html", V::NAME, lang.short()),
                rendered(&view),
            ));
        }
    }
}
