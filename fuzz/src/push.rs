//! A push is opened only when it was sealed with the keys: whatever else comes is refused, and a
//! sealed one does not survive the change of a single signed byte.

use yufu_core::id::ClientId;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;
use yufu_dialects::wechat::push::{
    AesKey, Fresh, MAX_PUSH_BYTES, Mode, Push, PushEvent, PushKeys, PushKind, Sealed, Spelling,
    open, open_plain, seal, verify_url,
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const APPID: &str = "wx0123456789abcdef";

fn keys(token: &str, key: u8) -> PushKeys {
    PushKeys {
        token: Secret::new(token),
        aes_key: AesKey::new([key; 32]),
        appid: ClientId::new(APPID),
    }
}

/// A request as the platform would send it: its query, and what it holds.
pub fn run(data: &[u8]) {
    let ours = keys("our-token", 7);
    let heard = crate::request(data);
    if let Ok(push) = open(&ours, &heard.query, &heard.body) {
        sound(&push);
        // The seeds hold such pushes; with other keys they are nobody's.
        for other in [keys("our-token", 8), keys("a-token", 7)] {
            assert!(open(&other, &heard.query, &heard.body).is_err());
        }
    }
    if let Ok(push) = open_plain(&ours.token, &ours.appid, &heard.query, &heard.body) {
        sound(&push);
        let other = Secret::new("a-token");
        assert!(open_plain(&other, &ours.appid, &heard.query, &heard.body).is_err());
    }
    let params = heard.params();
    let get = |name| params.get(name).unwrap_or_default();
    let _ = verify_url(
        &ours.token,
        get("timestamp"),
        get("nonce"),
        get("echostr"),
        get("signature"),
    );
    sealed(&ours, data);
}

fn sound(push: &Push) {
    let subjects = [&push.event.openid, &push.event.unionid];
    for subject in subjects.into_iter().flatten() {
        let text = subject.as_str();
        assert!(!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()));
    }
    assert!(!push.event.kind.word().is_empty() && !push.nonce.is_empty());
    assert!(push.signed_at.seconds() >= 0 && push.event.created_at.seconds() >= 0);
}

/// The event that these bytes describe, sealed, opened, and broken at a place that they name.
fn sealed(keys: &PushKeys, data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let Some((place, rest)) = rest.split_first_chunk::<2>() else {
        return;
    };
    let text: String = String::from_utf8_lossy(rest)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let graphic: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(128)
        .collect();
    let subject = (!graphic.is_empty()).then(|| Subject::new(&graphic));
    let event = PushEvent {
        kind: match choice % 4 {
            0 => PushKind::AuthorizationCancelled,
            1 => PushKind::InfoModified,
            _ => PushKind::AuthorizationRevoked {
                info: text.trim().to_owned(),
            },
        },
        appid: keys.appid.clone(),
        openid: subject.clone().filter(|_| choice & 4 == 0),
        unionid: subject.filter(|_| choice & 8 == 0),
        created_at: NOW,
    };
    let (mode, spelling) = (
        [Mode::Safe, Mode::Compatible, Mode::Plain][usize::from(choice >> 4) % 3],
        [Spelling::Xml, Spelling::Json][usize::from(choice >> 7)],
    );
    let fresh = Fresh {
        now: NOW,
        nonce: "n0nce".to_owned(),
        random: [*choice; 16],
    };
    let sealed = seal(keys, &event, mode, spelling, &fresh).expect("events are short");
    if sealed.body.len() > MAX_PUSH_BYTES {
        return;
    }
    let opened = |sealed: &Sealed| match mode {
        Mode::Plain => open_plain(
            &keys.token,
            &keys.appid,
            &sealed.query,
            sealed.body.as_bytes(),
        ),
        Mode::Compatible | Mode::Safe => open(keys, &sealed.query, sealed.body.as_bytes()),
    };
    let push = opened(&sealed).expect("what was sealed can be opened");
    assert_eq!(push.event, event);
    assert_eq!((push.signed_at, push.nonce.as_str()), (NOW, "n0nce"));
    for broken in broken(&sealed, mode, usize::from(u16::from_be_bytes(*place))) {
        assert!(opened(&broken).is_err(), "{broken:?}");
    }
}

/// The push with one character changed: in each signed word of the query, and in the encrypted
/// part.
fn broken(sealed: &Sealed, mode: Mode, place: usize) -> Vec<Sealed> {
    let signature = match mode {
        Mode::Plain => "signature=",
        Mode::Compatible | Mode::Safe => "msg_signature=",
    };
    let words = [signature, "timestamp=", "nonce="];
    let mut all: Vec<Sealed> = words
        .iter()
        .map(|word| Sealed {
            query: changed(&sealed.query, word, &['&'], place),
            ..sealed.clone()
        })
        .collect();
    if mode != Mode::Plain {
        let (name, ends) = match sealed.content_type {
            "text/xml" => ("<Encrypt><![CDATA[", &[']'][..]),
            _ => ("\"Encrypt\":\"", &['"'][..]),
        };
        all.push(Sealed {
            body: changed(&sealed.body, name, ends, place),
            ..sealed.clone()
        });
    }
    all
}

/// The text with one of the characters between this mark and the end changed for another one that
/// may stand there.
fn changed(text: &str, mark: &str, ends: &[char], place: usize) -> String {
    // A parameter's mark may be the end of a longer one; what is encrypted stands last.
    let mut places = text.match_indices(mark).map(|(at, _)| at);
    let at = match mark.ends_with('=') {
        true => places.find(|at| *at == 0 || text[..*at].ends_with('&')),
        false => places.last(),
    };
    let start = at.expect("it is there") + mark.len();
    let length = text[start..].find(ends).unwrap_or(text.len() - start);
    let at = start + place % length;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
