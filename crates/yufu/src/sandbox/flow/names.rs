//! The names under which secrets stand, in queries, forms, JSON, XML, headers and pages.

/// The longest name that is looked up.
const LONGEST: usize = 40;

/// A name in small letters without hyphens and underscores, on the stack: this runs for every word
/// of every page.
struct Plain {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Plain {
    fn of(word: &str) -> Option<Self> {
        let mut plain = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        for byte in word.bytes().filter(|b| !matches!(b, b'_' | b'-')) {
            *plain.bytes.get_mut(plain.length)? = byte.to_ascii_lowercase();
            plain.length += 1;
        }
        Some(plain)
    }

    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or("")
    }
}

/// What a mark of the value under this name is called; `None` where no secret stands.
pub(super) fn label(word: &str) -> Option<&'static str> {
    if word.len() > LONGEST || word.len() < 2 {
        return None;
    }
    // Most words end otherwise: they need no closer look.
    if !matches!(
        word.as_bytes().last().map(u8::to_ascii_lowercase),
        Some(b'n' | b't' | b'e' | b'd' | b'f' | b'y' | b's' | b'a' | b'v' | b'p' | b'r' | b'h')
    ) {
        return None;
    }
    let plain = Plain::of(word)?;
    let name = plain.text();
    let name = ["data", "wx"]
        .iter()
        .find_map(|head| name.strip_prefix(head).filter(|rest| is_short(rest)))
        .unwrap_or(name);
    exact(name).or_else(|| by_end(name))
}

/// Names that stand behind `data-` and `wx_`.
fn is_short(name: &str) -> bool {
    matches!(name, "code" | "state" | "uuid" | "token" | "csrf")
}

fn exact(name: &str) -> Option<&'static str> {
    Some(match name {
        "code" | "jscode" | "authcode" | "logincode" => "code",
        "state" => "state",
        "uuid" => "uuid",
        "accesstoken" => "access_token",
        "refreshtoken" => "refresh_token",
        "session" | "sessionid" | "sid" | "sessid" | "phpsessid" | "jsessionid" => "session",
        "sessionkey" => "session_key",
        "password" | "passwd" | "pwd" | "pass" => "password",
        "passcode" | "smscode" | "verifycode" | "verificationcode" | "vcode" | "captcha"
        | "otp" | "pin" | "smspasscode" | "captchacode" => "passcode",
        "encrypteddata" | "encrypt" | "iv" => "data",
        "codeverifier" => "verifier",
        "codechallenge" => "challenge",
        "xyufudevice" => "device",
        "auth" | "authorization" | "credential" | "bearer" | "jwt" => "token",
        _ => return None,
    })
}

fn by_end(name: &str) -> Option<&'static str> {
    const ENDS: [(&str, &str); 12] = [
        ("token", "token"),
        ("secret", "secret"),
        ("ticket", "ticket"),
        ("csrf", "csrf"),
        ("password", "password"),
        ("passcode", "passcode"),
        ("apikey", "key"),
        ("aeskey", "key"),
        ("privatekey", "key"),
        ("sessionkey", "session_key"),
        ("sessionid", "session"),
        ("cookie", "cookie"),
    ];
    if name.ends_with("csrftoken") || name.ends_with("xsrftoken") {
        return Some("csrf");
    }
    let found = ENDS.iter().find(|(end, _)| name.ends_with(end));
    found.map(|(_, label)| *label)
}

/// Whether a telephone number stands under this name.
pub(super) fn is_phone(word: &str) -> bool {
    if word.len() > LONGEST {
        return false;
    }
    let Some(plain) = Plain::of(word) else {
        return false;
    };
    matches!(
        plain.text(),
        "phone"
            | "mobile"
            | "tel"
            | "phonenumber"
            | "purephonenumber"
            | "mobilephone"
            | "cellphone"
            | "newphone"
            | "oldphone"
            | "to"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_in_every_spelling() {
        for (name, expected) in [
            ("secret", "secret"),
            ("AppSecret", "secret"),
            ("client_secret", "secret"),
            ("device_secret", "secret"),
            ("code", "code"),
            ("wx_code", "code"),
            ("js_code", "code"),
            ("access_token", "access_token"),
            ("accessToken", "access_token"),
            ("refresh-token", "refresh_token"),
            ("bind_ticket", "ticket"),
            ("sdk_ticket", "ticket"),
            ("csrf", "csrf"),
            ("X-CSRF-Token", "csrf"),
            ("session_key", "session_key"),
            ("encryptedData", "data"),
            ("sms_code", "passcode"),
            ("data-state", "state"),
            ("code_verifier", "verifier"),
            ("carrier_token", "token"),
            ("EncodingAESKey", "key"),
        ] {
            assert_eq!(label(name), Some(expected), "{name}");
        }
        for name in [
            "errcode",
            "wx_errcode",
            "appid",
            "openid",
            "unionid",
            "token_type",
            "expires_in",
            "nickname",
            "scope",
            "redirect_uri",
            "grant_type",
            "status",
            "data-status",
            "response_type",
            "x",
            "",
        ] {
            assert_eq!(label(name), None, "{name}");
        }
        assert!(is_phone("phone") && is_phone("purePhoneNumber") && !is_phone("iphone"));
    }
}
