//! Writing a push as the platform does (its document "Message push").

use percent_encoding::utf8_percent_encode;
use quick_xml::Writer;
use quick_xml::events::{BytesCData, BytesText, Event};
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;

use super::super::call::ESCAPED;
use super::super::json::Object;
use super::{PushEvent, PushKeys, PushKind, crypt, sign};

/// How a push goes out ("Message push").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In clear; the signature covers the query alone.
    Plain,
    /// Encrypted, and in clear beside it.
    Compatible,
    /// Encrypted.
    Safe,
}

/// How the body is spelled ("Message push").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// XML.
    Xml,
    /// JSON.
    Json,
}

/// What makes a push one of its kind.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// When it is sent; whole seconds count.
    pub now: Timestamp,
    /// Drawn for this push: letters and digits.
    pub nonce: String,
    /// Drawn for this push.
    pub random: [u8; 16],
}

/// A push to be sent by POST to a client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// To be added to the address's own query.
    pub query: String,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// Writes a push. `None` only for what no event of ours is: too long to be encrypted.
///
/// The facts do not tell the platform's own names in `ToUserName` and `FromUserName`; here they
/// are the client's name and the user's.
pub fn seal(
    keys: &PushKeys,
    event: &PushEvent,
    mode: Mode,
    spelling: Spelling,
    fresh: &Fresh,
) -> Option<Sealed> {
    let timestamp = fresh.now.seconds().to_string();
    let (appid, nonce) = (keys.appid.as_str(), fresh.nonce.as_str());
    let fields = fields(event, appid);
    let mut query = signed_query(&keys.token, &timestamp, nonce);
    if let Some(openid) = &event.openid {
        with(&mut query, "openid", openid.as_str());
    }
    let mut outside = match mode {
        Mode::Plain | Mode::Compatible => fields.clone(),
        Mode::Safe => vec![("ToUserName", Text(appid.to_owned()))],
    };
    if mode != Mode::Plain {
        let message = spell(spelling, &fields)?;
        let encrypted = crypt::encrypt(&keys.aes_key, &fresh.random, message.as_bytes(), appid)?;
        let signature = sign(&keys.token, &[&timestamp, nonce, &encrypted]);
        with(&mut query, "encrypt_type", "aes");
        with(&mut query, "msg_signature", &signature);
        outside.push(("Encrypt", Text(encrypted)));
    }
    Some(Sealed {
        query,
        content_type: match spelling {
            Spelling::Xml => "text/xml",
            Spelling::Json => "application/json",
        },
        body: spell(spelling, &outside)?,
    })
}

/// The query of the GET by which the platform checks an address; the right answer is `echostr`.
pub fn echo_query(token: &Secret, fresh: &Fresh, echostr: &str) -> String {
    let timestamp = fresh.now.seconds().to_string();
    let mut query = signed_query(token, &timestamp, &fresh.nonce);
    with(&mut query, "echostr", echostr);
    query
}

fn signed_query(token: &Secret, timestamp: &str, nonce: &str) -> String {
    let mut query = String::new();
    with(&mut query, "signature", &sign(token, &[timestamp, nonce]));
    with(&mut query, "timestamp", timestamp);
    with(&mut query, "nonce", nonce);
    query
}

fn with(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    query.extend(utf8_percent_encode(value, ESCAPED));
}

#[derive(Clone)]
enum Field {
    Text(String),
    Number(i64),
}
use Field::{Number, Text};

type Named = (&'static str, Field);

fn fields(event: &PushEvent, appid: &str) -> Vec<Named> {
    let text = |text: &str| Text(text.to_owned());
    let openid = event.openid.as_ref().map(Subject::as_str);
    let mut fields = vec![
        ("ToUserName", text(appid)),
        ("FromUserName", text(openid.unwrap_or_default())),
        ("CreateTime", Number(event.created_at.seconds())),
        ("MsgType", text("event")),
        ("Event", text(event.kind.word())),
    ];
    let mut maybe = |name, value: Option<&str>| {
        fields.extend(value.map(|value| (name, text(value))));
    };
    maybe("OpenID", openid);
    maybe("AppID", Some(event.appid.as_str()));
    if let PushKind::AuthorizationRevoked { info } = &event.kind {
        maybe("RevokeInfo", Some(info));
    }
    maybe("UnionID", event.unionid.as_ref().map(Subject::as_str));
    fields
}

fn spell(spelling: Spelling, fields: &[Named]) -> Option<String> {
    match spelling {
        Spelling::Json => Some(
            fields
                .iter()
                .fold(Object::new(), |object, (name, field)| match field {
                    Text(text) => object.text(name, text),
                    Number(number) => object.number(name, *number),
                })
                .end(),
        ),
        Spelling::Xml => {
            let mut writer = Writer::new(Vec::new());
            let whole = writer.create_element("xml").write_inner_content(|writer| {
                fields.iter().try_for_each(|field| element(writer, field))
            });
            whole.ok()?;
            String::from_utf8(writer.into_inner()).ok()
        }
    }
}

fn element(writer: &mut Writer<Vec<u8>>, (name, field): &Named) -> std::io::Result<()> {
    let element = writer.create_element(*name);
    match field {
        Number(number) => element
            .write_text_content(BytesText::new(&number.to_string()))
            .map(|_| ()),
        // A CDATA section cannot hold its own end: such a text goes into several.
        Text(text) => element
            .write_inner_content(|writer| {
                BytesCData::escaped(text)
                    .try_for_each(|piece| writer.write_event(Event::CData(piece)))
            })
            .map(|_| ()),
    }
}
