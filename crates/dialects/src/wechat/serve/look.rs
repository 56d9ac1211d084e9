//! How a QR page shall look (`docs/facts/wechat.md` §4.1, §4.3).

use crate::endpoint::{ScanLook, SelfRedirect};
use crate::http::Request;

/// The most bytes of a stylesheet's address; our own limit.
const MAX_STYLE_BYTES: usize = 8 * 1024;

/// Reads the look of a QR page; what is not understood is ignored.
pub(super) fn look(request: &Request) -> ScanLook {
    let params = request.params();
    let is = |name: &str, value: &str| params.get(name) == Some(value);
    let lite = is("stylelite", "1");
    ScanLook {
        xml: is("f", "xml"),
        iframe: is("login_type", "jssdk"),
        self_redirect: match params.get("self_redirect") {
            Some("true") => SelfRedirect::Frame,
            Some("false") => SelfRedirect::Top,
            _ => SelfRedirect::Default,
        },
        white: is("style", "white"),
        lite,
        // §4.3: the compact look takes no stylesheet.
        href: params.get("href").filter(|_| !lite).and_then(style_address),
        english: is("lang", "en"),
    }
}

/// Whether English was asked for.
pub(super) fn is_english(request: &Request) -> bool {
    request.params().get("lang") == Some("en")
}

/// A `data:text/css[;charset=…][;base64],…` address of limited size. The login script does not
/// encode it, so the plus signs of base64 arrive as spaces and are put back.
fn style_address(address: &str) -> Option<String> {
    let (head, style) = address.strip_prefix("data:text/css")?.split_once(',')?;
    let sound = address.len() <= MAX_STYLE_BYTES
        && !address.chars().any(char::is_control)
        && (head.is_empty() || head.starts_with(';'))
        && head.split(';').skip(1).all(|parameter| {
            parameter == "base64"
                || parameter.strip_prefix("charset=").is_some_and(|charset| {
                    !charset.is_empty()
                        && charset
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                })
        });
    if !sound {
        return None;
    }
    if head.ends_with(";base64") {
        let style = style.replace(' ', "+");
        let plain = style
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'));
        return plain.then(|| format!("data:text/css{head},{style}"));
    }
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> ScanLook {
        look(&Request::get("/connect/qrconnect", query))
    }

    #[test]
    fn the_login_scripts_options_are_read() {
        let look = of(
            "login_type=jssdk&self_redirect=default&styletype=&sizetype=&bgcolor=&rst=&\
             style=white&href=data:text/css;base64,LmE+e30=&lang=en",
        );
        assert_eq!(
            look,
            ScanLook {
                iframe: true,
                white: true,
                href: Some("data:text/css;base64,LmE+e30=".into()),
                english: true,
                ..ScanLook::default()
            }
        );
        assert_eq!(of("self_redirect=true").self_redirect, SelfRedirect::Frame);
        assert_eq!(of("self_redirect=false").self_redirect, SelfRedirect::Top);
        assert!(of("stylelite=1").lite && of("f=xml").xml);
        assert_eq!(of("style=black&lang=cn&f=html&x=y"), ScanLook::default());
    }

    #[test]
    fn only_small_data_addresses_are_stylesheets() {
        for good in [
            "data:text/css,.impowerBox{width:200px}",
            "data:text/css;charset=utf-8,.a{}",
            "data:text/css;charset=utf-8;base64,LmF7fQ==",
        ] {
            let query = format!("href={}", good.replace(' ', "%20"));
            assert_eq!(of(&query).href.as_deref(), Some(good));
        }
        for bad in [
            "https://evil.example/a.css",
            "data:text/html,<script>",
            "data:text/css",
            "data:text/cssx,.a{}",
            "data:text/css;x=y,.a{}",
            "data:text/css;base64,<script>",
            "javascript:alert(1)",
            "data:text/css,a%00b",
            "",
        ] {
            assert_eq!(of(&format!("href={bad}")).href, None, "{bad}");
        }
        let long = format!("href=data:text/css,{}", "a".repeat(MAX_STYLE_BYTES));
        assert_eq!(of(&long).href, None);
        // §4.3: ignored in the compact look.
        assert_eq!(of("href=data:text/css,.a{}&stylelite=1").href, None);
    }
}
