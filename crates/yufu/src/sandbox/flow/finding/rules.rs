//! The rules: pure functions over the arrows of a flow. What a fault of the sandbox brought about
//! is never held against the app, and nothing is claimed that no arrow shows.

use super::super::arrow::{Arrow, Bits, Door, Flow, Found, Kind, Outcome, State};
use super::Breach;

/// All findings of a flow, in the order of its arrows.
pub(in super::super) fn judge(flow: &Flow) -> Vec<Found> {
    let mut finds = Finds(Vec::new());
    for rule in RULES {
        rule(flow, &mut finds);
    }
    let mut found = finds.0;
    found.sort_by_key(|one| {
        let at = one.arrow.and_then(|serial| flow.number(serial));
        (at.unwrap_or(usize::MAX), one.code)
    });
    found
}

type Rule = fn(&Flow, &mut Finds);

const RULES: &[Rule] = &[
    codes, secrets, addresses, states, redirects, profiles, refreshes, tokens, callbacks, calls,
];

/// How many times something is done before it is a habit.
const OFTEN: usize = 3;
/// How long the code that lives shortest lives, a service account's (`docs/facts/wechat.md` §10).
const CODE_SECONDS: i64 = 300;
/// The longest that a callback may take.
const SLOW_MILLIS: u32 = 5000;

struct Finds(Vec<Found>);

impl Finds {
    /// Claims a finding, once for each flow.
    fn claim(&mut self, code: Breach, arrow: &Arrow) {
        self.claim_with(code, arrow, None);
    }

    fn claim_with(&mut self, code: Breach, arrow: &Arrow, said: Option<Box<str>>) {
        if !self.0.iter().any(|found| found.code == code) {
            let arrow = Some(arrow.serial);
            self.0.push(Found { code, arrow, said });
        }
    }

    fn claim_if(&mut self, code: Breach, arrow: &Arrow, bits: Bits) {
        if arrow.has(bits) {
            self.claim(code, arrow);
        }
    }
}

fn number(arrow: &Arrow) -> i32 {
    match arrow.outcome {
        Outcome::Number(number) => number,
        _ => 0,
    }
}

/// Whether nothing was played on this arrow.
fn is_clean(arrow: &Arrow) -> bool {
    arrow.faults.is_empty()
}

/// What a code comes to.
fn codes(flow: &Flow, finds: &mut Finds) {
    let asked = flow.of(Kind::Authorize).chain(flow.of(Kind::SignedScan));
    let has_challenge = asked.into_iter().any(|arrow| arrow.has(Bits::CHALLENGE));
    let paid: Vec<&Arrow> = flow.of(Kind::Exchange).chain(flow.of(Kind::Mini)).collect();
    for (at, arrow) in paid.iter().enumerate() {
        let before = || {
            let same = |known: &&&Arrow| known.facts.code == arrow.facts.code;
            paid.iter().take(at).filter(same)
        };
        // Whoever never heard the first answer may ask again.
        let lost = before().any(|known| {
            known.outcome == Outcome::Cut
                || known.outcome == Outcome::Unreadable
                || !is_clean(known)
        });
        let was_paid = before().any(|known| known.ok);
        if !is_clean(arrow) {
            continue;
        }
        match number(arrow) {
            40163 if was_paid && !lost => {
                let times = before().count() + 1;
                finds.claim_with(Breach::CodeReused, arrow, Some(format!("× {times}").into()));
            }
            40029 if before().count() == 0 => {
                let is_ours = flow.memory.code != 0 && arrow.facts.code == flow.memory.code;
                let is_foreign = arrow.facts.appid != 0
                    && flow.memory.appid != 0
                    && arrow.facts.appid != flow.memory.appid;
                if is_ours && is_foreign {
                    finds.claim(Breach::CodeForeign, arrow);
                } else if is_ours && has_challenge && !arrow.has(Bits::VERIFIER) {
                    finds.claim(Breach::VerifierMissing, arrow);
                } else if is_ours && !has_challenge {
                    expired(flow, arrow, finds);
                }
            }
            42003 => expired(flow, arrow, finds),
            40125 => finds.claim(Breach::SecretWrong, arrow),
            _ => {}
        }
        let is_dead = |known: &&Arrow| matches!(number(known), 40029 | 40163 | 42003);
        let tries = before()
            .copied()
            .filter(|known| is_dead(known))
            .map(|a| a.count)
            .sum::<u32>();
        if is_dead(arrow) && tries as usize + arrow.count as usize > OFTEN {
            finds.claim_with(
                Breach::CodeRetried,
                arrow,
                Some(format!("× {}", tries + arrow.count).into()),
            );
        }
    }
}

fn expired(flow: &Flow, arrow: &Arrow, finds: &mut Finds) {
    let seconds = arrow.at.saturating_sub(flow.memory.code_at) / 1000;
    let is_this = flow.memory.code_at > 0 && arrow.facts.code == flow.memory.code;
    // The app was quick: somebody turned the clock, let the code expire, or took the grant back.
    if is_this && seconds < CODE_SECONDS {
        return;
    }
    let said = (flow.memory.code_at > 0 && seconds > 0).then(|| format!("{seconds} s").into());
    finds.claim_with(Breach::CodeExpired, arrow, said);
}

/// Where secrets are sent from.
fn secrets(flow: &Flow, finds: &mut Finds) {
    for arrow in &flow.arrows {
        match arrow.kind {
            Kind::Exchange | Kind::Mini | Kind::Own | Kind::Refresh => {
                finds.claim_if(
                    Breach::SecretInBrowser,
                    arrow,
                    Bits::SECRET.and(Bits::BROWSER),
                );
                finds.claim_if(Breach::SecretInApp, arrow, Bits::SECRET.and(Bits::DEVICE));
            }
            Kind::Authorize | Kind::SignedScan => {
                finds.claim_if(Breach::SecretInAddress, arrow, Bits::SECRET);
            }
            _ => {}
        }
    }
}

/// What an address that asks for authorization lacks.
fn addresses(flow: &Flow, finds: &mut Finds) {
    for arrow in flow.of(Kind::Authorize) {
        if arrow.has(Bits::ERROR_PAGE) && is_clean(arrow) {
            finds.claim_with(Breach::AuthorizeRefused, arrow, arrow.facts.said.clone());
        }
        if flow.door == Door::Native && !arrow.has(Bits::CHALLENGE) {
            finds.claim(Breach::PkceMissing, arrow);
        }
    }
    for arrow in flow.of(Kind::Start) {
        finds.claim_if(Breach::FragmentMissing, arrow, Bits::NO_FRAGMENT);
    }
}

/// The state: there, fresh, hard to guess, as the platform wants it, and checked.
fn states(flow: &Flow, finds: &mut Finds) {
    for arrow in flow.of(Kind::Authorize) {
        if !arrow.has(Bits::STATE) {
            finds.claim(Breach::StateMissing, arrow);
            continue;
        }
        finds.claim_if(Breach::StateReused, arrow, Bits::STATE_REUSED);
        finds.claim_if(Breach::StateWeak, arrow, Bits::STATE_WEAK);
        if flow.door == Door::InClient {
            finds.claim_if(Breach::StateLong, arrow, Bits::STATE_LONG);
            if !arrow.has(Bits::STATE_LONG) {
                finds.claim_if(Breach::StateOdd, arrow, Bits::STATE_ODD);
            }
        }
    }
    let foreign = flow
        .arrows
        .iter()
        .find(|arrow| arrow.has(Bits::STATE_FOREIGN));
    if let Some(foreign) = foreign {
        // The app was handed a state that it never sent; whoever pays the code did not look.
        let paid = flow.of(Kind::Exchange).find(|arrow| {
            arrow.at >= foreign.at
                && arrow.facts.code != 0
                && (foreign.facts.code == 0 || arrow.facts.code == foreign.facts.code)
        });
        if let Some(paid) = paid {
            finds.claim(Breach::StateUnchecked, paid);
        }
    }
}

/// Where the answer is sent to.
fn redirects(flow: &Flow, finds: &mut Finds) {
    for arrow in flow.of(Kind::Authorize) {
        let said = || {
            arrow
                .facts
                .said
                .clone()
                .filter(|_| !arrow.has(Bits::ERROR_PAGE))
        };
        if arrow.has(Bits::PORT) {
            finds.claim_with(Breach::RedirectPort, arrow, said());
        }
        if arrow.has(Bits::REDIRECT_HTTP) {
            finds.claim_with(Breach::RedirectHttp, arrow, said());
        }
        finds.claim_if(Breach::RedirectUnencoded, arrow, Bits::UNENCODED);
    }
}

/// What is read with a token, and whose.
fn profiles(flow: &Flow, finds: &mut Finds) {
    let given = flow
        .arrows
        .iter()
        .filter(|arrow| arrow.facts.given_access != 0);
    let given: Vec<&Arrow> = given.collect();
    let is_base = given.iter().any(|arrow| arrow.has(Bits::SCOPE_BASE));
    for arrow in flow.of(Kind::Profile).chain(flow.of(Kind::Check)) {
        if arrow.has(Bits::NO_TOKEN) {
            let refused = flow
                .of(Kind::Exchange)
                .find(|known| !known.ok && known.at <= arrow.at);
            if refused.is_some() {
                finds.claim(Breach::ErrcodeIgnored, arrow);
            }
            continue;
        }
        let of_token = given
            .iter()
            .find(|known| known.facts.given_access == arrow.facts.access);
        let owner = of_token.map_or(0, |known| known.facts.given_openid);
        if owner != 0 && arrow.facts.openid != 0 && owner != arrow.facts.openid {
            finds.claim(Breach::OpenidWrong, arrow);
        }
        if number(arrow) == 48001 && is_clean(arrow) && is_base {
            finds.claim(Breach::ProfileWithBase, arrow);
        }
        let is_dead = |known: &&Arrow| matches!(number(known), 40001 | 40014 | 42001);
        if is_dead(&arrow) {
            let of = |kind| {
                flow.of(kind)
                    .filter(is_dead)
                    .filter(|k| is_clean(k) && k.at <= arrow.at)
            };
            let tries: u32 = of(Kind::Profile)
                .chain(of(Kind::Check))
                .map(|k| k.count)
                .sum();
            if tries as usize > OFTEN {
                finds.claim_with(
                    Breach::TokenRetried,
                    arrow,
                    Some(format!("× {tries}").into()),
                );
            }
        }
    }
    let asked = flow
        .of(Kind::Authorize)
        .find(|arrow| arrow.has(Bits::SCOPE_USERINFO));
    if let Some(asked) = asked
        && flow.memory.quiet
        && flow.state == State::LoggedIn
        && flow.of(Kind::Profile).next().is_none()
    {
        finds.claim(Breach::ScopeUnused, asked);
    }
}

/// How often a token is renewed.
fn refreshes(flow: &Flow, finds: &mut Finds) {
    let mut alive = 0;
    let mut last = 0;
    for arrow in flow
        .arrows
        .iter()
        .filter(|arrow| arrow.facts.given_access != 0)
    {
        if arrow.kind == Kind::Refresh {
            alive += if arrow.facts.given_access == last {
                arrow.count
            } else {
                arrow.count - 1
            };
            if alive as usize >= OFTEN {
                finds.claim_with(
                    Breach::RefreshEachTime,
                    arrow,
                    Some(format!("× {alive}").into()),
                );
            }
        }
        last = arrow.facts.given_access;
    }
}

/// Where access tokens stand that should not.
fn tokens(flow: &Flow, finds: &mut Finds) {
    for arrow in &flow.arrows {
        finds.claim_if(Breach::TokenInUrl, arrow, Bits::TOKEN_IN_URL);
        finds.claim_if(Breach::TokenInRedirect, arrow, Bits::TOKEN_IN_REDIRECT);
        finds.claim_if(Breach::TokenShown, arrow, Bits::TOKEN_SHOWN);
    }
}

/// How the app takes it when somebody comes back.
fn callbacks(flow: &Flow, finds: &mut Finds) {
    let slow_platform = flow.arrows.iter().any(|arrow| {
        let is_call = matches!(arrow.kind, Kind::Exchange | Kind::Profile | Kind::Check);
        is_call && (!is_clean(arrow) || arrow.took >= SLOW_MILLIS)
    });
    for arrow in flow.of(Kind::Callback) {
        if arrow.took >= SLOW_MILLIS && !slow_platform && is_clean(arrow) {
            let seconds = arrow.took / 1000;
            finds.claim_with(
                Breach::CallbackSlow,
                arrow,
                Some(format!("{seconds} s").into()),
            );
        }
        let failed = matches!(arrow.outcome, Outcome::Status(400..));
        let was_paid = flow.of(Kind::Exchange).any(|paid| paid.ok);
        let all_well = flow
            .of(Kind::Exchange)
            .chain(flow.of(Kind::Profile))
            .all(|a| a.ok);
        if failed && was_paid && all_well && arrow.has(Bits::OTHERS_HAD_UNIONID) {
            finds.claim(Breach::UnionidOnly, arrow);
        }
    }
}

/// What is wrong with a call by itself.
fn calls(flow: &Flow, finds: &mut Finds) {
    for arrow in &flow.arrows {
        if arrow.has(Bits::PLAIN_HTTP) {
            finds.claim(Breach::PlainHttp, arrow);
        }
        if arrow.facts.unknown.is_some() {
            finds.claim_with(
                Breach::UnknownParameters,
                arrow,
                arrow.facts.unknown.clone(),
            );
        }
        let is_call = matches!(
            arrow.kind,
            Kind::Exchange | Kind::Refresh | Kind::Mini | Kind::Own | Kind::Profile | Kind::Check
        );
        if !is_call || !is_clean(arrow) {
            continue;
        }
        match number(arrow) {
            40013 => finds.claim(Breach::AppidUnknown, arrow),
            40125 => finds.claim(Breach::SecretWrong, arrow),
            // An empty token after a refused exchange is told as what it is.
            41001 if finds.0.iter().any(|f| f.code == Breach::ErrcodeIgnored) => {}
            41001..=41009 | 40002 => {
                let said = Some(number(arrow).to_string().into());
                finds.claim_with(Breach::ParameterMissing, arrow, said);
            }
            _ => {}
        }
    }
}
