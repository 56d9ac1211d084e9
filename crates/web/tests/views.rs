//! Walks the whole gallery: every view × sample × language.

use std::collections::{BTreeMap, HashSet};

use yufu_web::view::{
    self, ErrorPage, HOSTILE, Lang, NativeCode, Problem, Sample, Scan, Share, Text, Trouble,
};

/// One start or end tag, with its attributes.
#[derive(Debug)]
struct Tag<'a> {
    name: &'a str,
    end: bool,
    attributes: BTreeMap<&'a str, &'a str>,
}

impl<'a> Tag<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.attributes.get(name).copied()
    }
}

const VOID: [&str; 6] = ["meta", "link", "input", "img", "br", "hr"];

/// Reads the tags of a page strictly: every attribute value is quoted, nothing is left open.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.starts_with('/');
        rest = rest.trim_start_matches('/');
        let len = rest
            .find(|c: char| c.is_whitespace() || c == '>' || c == '/')
            .expect("a name");
        let name = &rest[..len];
        assert!(
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!'),
            "a stray < before {name:?}"
        );
        rest = &rest[len..];
        let mut attributes = BTreeMap::new();
        let closed = loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>") {
                rest = after;
                break true;
            }
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break false;
            }
            let len = rest
                .find(|c: char| c.is_whitespace() || c == '=' || c == '>' || c == '/')
                .expect("an attribute");
            let key = &rest[..len];
            assert!(
                len > 0
                    && key
                        .chars()
                        .all(|c| c.is_ascii_alphabetic() || c == '-' || "!DOCTYPE".contains(c)),
                "a strange attribute {key:?} in <{name}>"
            );
            rest = &rest[len..];
            let value = match rest.strip_prefix("=\"") {
                Some(after) => {
                    let (value, after) = after.split_once('"').expect("a closing quote");
                    rest = after;
                    value
                }
                None => "",
            };
            assert!(
                attributes.insert(key, value).is_none(),
                "{key} twice in <{name}>"
            );
        };
        tags.push(Tag {
            name,
            end,
            attributes,
        });
        if closed {
            tags.push(Tag {
                name,
                end: true,
                attributes: BTreeMap::new(),
            });
        }
    }
    tags
}

/// Pages that their script keeps alive send no forms: it asks the sandbox's control itself.
fn is_scripted(name: &str) -> bool {
    ["handset.", "flows.", "control."]
        .iter()
        .any(|page| name.starts_with(page))
}

/// Runs a check on every page.
fn each(check: impl Fn(&str, &str, &[Tag<'_>])) {
    let gallery = view::gallery();
    assert!(gallery.len() > 100);
    for (name, html) in &gallery {
        let tags = tags(html);
        check(name, html, &tags);
    }
}

#[test]
fn every_page_is_one_whole_page_in_its_language() {
    let mut names = HashSet::new();
    for (name, _) in view::gallery() {
        assert!(names.insert(name.clone()), "{name} twice");
    }
    each(|name, html, tags| {
        let lang = if name.ends_with(".zh.html") {
            Lang::Zh
        } else {
            Lang::En
        };
        assert!(html.starts_with("<!DOCTYPE html>"), "{name}");
        let root = tags.iter().find(|tag| tag.name == "html").expect("html");
        assert_eq!(root.get("lang"), Some(lang.tag()), "{name}");
        let mut open = Vec::new();
        for tag in tags
            .iter()
            .filter(|tag| tag.name != "!DOCTYPE" && !VOID.contains(&tag.name))
        {
            if tag.end {
                assert_eq!(open.pop(), Some(tag.name), "{name}");
            } else {
                open.push(tag.name);
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
        for once in ["html", "head", "title", "body", "main", "h1"] {
            let count = tags
                .iter()
                .filter(|tag| tag.name == once && !tag.end)
                .count();
            assert_eq!(count, 1, "{name}: {once}");
        }
    });
}

#[test]
fn the_languages_differ() {
    let pages: BTreeMap<String, String> = view::gallery().into_iter().collect();
    for (name, html) in &pages {
        let other = name.replace(".zh.html", ".en.html");
        if *name != other {
            assert_ne!(html.replace("zh-CN", "en"), pages[&other], "{name}");
        }
    }
}

#[test]
fn nothing_hostile_gets_through() {
    each(|name, html, tags| {
        assert!(!html.contains("<script>"), "{name}");
        assert!(!html.contains(HOSTILE), "{name}");
        if name.contains(".hostile.") {
            assert!(
                html.contains("&#60;script&#62;"),
                "{name} shows nothing hostile"
            );
        }
        for tag in tags {
            for (key, value) in &tag.attributes {
                assert!(
                    !key.starts_with("on") && *key != "style",
                    "{name}: {key} in <{}>",
                    tag.name
                );
                assert!(!value.contains(['<', '>']), "{name}: {key}={value}");
                assert!(
                    !value.trim_start().to_lowercase().starts_with("javascript:"),
                    "{name}"
                );
            }
            assert!(
                !["style", "iframe", "object", "embed", "base"].contains(&tag.name),
                "{name}"
            );
        }
    });
}

#[test]
fn everything_a_page_loads_is_ours() {
    each(|name, _, tags| {
        for tag in tags.iter().filter(|tag| !tag.end) {
            let address = match tag.name {
                "script" | "img" => tag.get("src").expect("src"),
                "link" => tag.get("href").expect("href"),
                "form" => tag.get("action").expect("action"),
                _ => continue,
            };
            let data = match tag.name {
                "img" => address.starts_with("data:image/"),
                "link" => address.starts_with("data:text/css;base64,"),
                _ => false,
            };
            assert!(
                data || (address.starts_with('/') && !address.starts_with("//")),
                "{name}: {address}"
            );
            if let Some(asset) = address.strip_prefix("/assets/") {
                let (asset, _) = asset.split_once("?v=").expect("a version");
                assert_eq!(view::asset_url(asset), address, "{name}");
                assert!(view::asset(asset).is_some(), "{name}: {asset}");
            }
        }
    });
}

#[test]
fn every_form_is_guarded_and_every_field_has_a_label() {
    each(|name, _, tags| {
        let labels: HashSet<_> = tags.iter().filter_map(|tag| tag.get("for")).collect();
        let mut form: Option<(bool, bool)> = None;
        for tag in tags {
            match (tag.name, tag.end) {
                // It changes nothing: it brings the token to the address that was asked for.
                ("form", false) if name.starts_with("dev_locked.") => {
                    assert_eq!(tag.get("method"), Some("get"), "{name}");
                    form = Some((true, true));
                }
                ("button", false) if name.starts_with("dev_locked.") => {}
                ("form", false) => {
                    assert_eq!(tag.get("method"), Some("post"), "{name}");
                    assert!(
                        form.replace((false, false)).is_none(),
                        "{name}: a form in a form"
                    );
                }
                ("form", true) => assert_eq!(form.take(), Some((true, true)), "{name}"),
                ("input", false) if tag.get("type") == Some("hidden") => {
                    let csrf = tag.get("name") == Some("csrf");
                    form.as_mut().expect("a form").0 |= csrf;
                    assert!(!csrf || tag.get("value") == Some(view::CSRF), "{name}");
                }
                ("input" | "select", false) => {
                    assert!(form.is_some() != is_scripted(name), "{name}");
                    assert!(
                        labels.contains(tag.get("id").expect("id")),
                        "{name}: {tag:?}"
                    );
                }
                ("button", false) if is_scripted(name) => {}
                ("button", false) => {
                    assert_eq!(tag.get("name"), Some("act"), "{name}");
                    assert!(
                        tag.get("value").is_some_and(|act| !act.is_empty()),
                        "{name}"
                    );
                    form.as_mut().expect("a form").1 = true;
                }
                _ => {}
            }
        }
    });
}

#[test]
fn ids_are_single_and_what_refers_to_them_finds_them() {
    each(|name, _, tags| {
        let mut ids = HashSet::new();
        for id in tags.iter().filter_map(|tag| tag.get("id")) {
            assert!(ids.insert(id), "{name}: {id} twice");
        }
        for tag in tags {
            for key in ["for", "aria-labelledby", "aria-describedby"] {
                if let Some(id) = tag.get(key) {
                    assert!(ids.contains(id), "{name}: {key}={id}");
                }
            }
            if tag.name == "img" {
                assert!(tag.attributes.contains_key("alt"), "{name}");
            }
            if tag.name == "svg" && !tag.end {
                assert_eq!(tag.get("aria-hidden"), Some("true"), "{name}");
            }
        }
        let mut level = 0;
        for tag in tags
            .iter()
            .filter(|tag| !tag.end && tag.name.len() == 2 && tag.name.starts_with('h'))
        {
            if let Ok(next) = tag.name[1..].parse::<u8>() {
                assert!(next <= level + 1, "{name}: h{next} after h{level}");
                level = next;
            }
        }
    });
}

#[test]
fn the_qr_page_holds_the_hooks_that_others_rely_on() {
    for lang in Lang::ALL {
        for (name, scan) in Scan::samples(lang) {
            let html = scan.render();
            for hook in [
                "impowerBox",
                "class=\"title\"",
                "class=\"info\"",
                "class=\"qrcode lightBorder js_qrcode_img",
                "id=\"wx_default_tip\"",
                "id=\"wx_after_scan\"",
                "id=\"wx_after_cancel\"",
                "js_status js_wx_default_tip",
                "js_status js_wx_after_scan",
                "js_status js_wx_after_cancel",
                "aria-live=\"polite\"",
                "<noscript>",
            ] {
                assert!(html.contains(hook), "{name}: {hook}");
            }
            // As the scrapers' pattern has it: src="/connect/qrcode/([^"]+)"
            let (_, after) = html
                .split_once("src=\"/connect/qrcode/")
                .expect("the picture");
            assert_eq!(after.split('"').next(), Some(scan.uuid.as_str()));
            assert_eq!(html.contains("web_qrcode_img"), scan.stylelite, "{name}");
            assert_eq!(html.contains("<header"), !scan.framed, "{name}");
            assert_eq!(html.contains("<footer"), !scan.framed, "{name}");
            assert_eq!(html.contains("data-state="), scan.state.is_some(), "{name}");
            let sheets: Vec<_> = html.match_indices("rel=\"stylesheet\"").collect();
            let own = usize::from(scan.href.is_some() && !scan.stylelite);
            assert_eq!(sheets.len(), 1 + own, "{name}");
        }
    }
}

#[test]
fn the_compact_look_ignores_the_integrators_sheet() {
    let (_, scan) = Scan::samples(Lang::Zh).pop().expect("the styled one");
    assert!(scan.href.is_some());
    let lite = Scan {
        stylelite: true,
        ..scan
    };
    assert_eq!(lite.sheet(), None);
}

#[test]
fn an_error_page_says_the_known_text_as_it_is() {
    for trouble in Trouble::ALL {
        for lang in Lang::ALL {
            let page = ErrorPage {
                number: Some(10003),
                text: "redirect_uri 参数错误".to_owned(),
                fix: Some("mend the host".to_owned()),
                ..ErrorPage::new(lang, trouble)
            };
            let html = page.render();
            for shown in ["redirect_uri 参数错误", "10003", "mend the host"] {
                assert!(html.contains(shown), "{trouble:?} {shown}");
            }
            assert!(html.contains(trouble.title(lang)), "{trouble:?}");
            assert!(html.contains(trouble.advice(lang)), "{trouble:?}");
        }
    }
    let html = ErrorPage {
        incident: Some("6f1d-90aa".to_owned()),
        ..ErrorPage::new(Lang::En, Trouble::Busy)
    }
    .render();
    assert!(html.contains("6f1d-90aa"));
}

#[test]
fn words_exist_for_everything() {
    for lang in Lang::ALL {
        for problem in [
            Problem::WrongPassword,
            Problem::WrongCurrent,
            Problem::WrongPasscode,
            Problem::PasscodeExpired,
            Problem::TooOften(7),
            Problem::BadPhone,
            Problem::BadPassword,
            Problem::BadNickname,
            Problem::PhoneTaken,
            Problem::Stale,
            Problem::Said("…".to_owned()),
        ] {
            assert!(!problem.words(lang).contains("{}"), "{problem:?}");
        }
        for share in Share::of_all(
            ["snsapi_base", "snsapi_userinfo", "phone", "email", "x"],
            true,
        ) {
            assert!(!share.words(lang).is_empty(), "{share:?}");
        }
        for number in [0, -2, -4, -6] {
            let code = NativeCode::from_number(number).expect("known");
            assert_eq!(code.number(), number);
            assert!(!code.words(lang).is_empty());
        }
    }
    each(|name, html, _| assert!(!html.contains("{}"), "{name} has an open gap"));
}

#[test]
fn no_text_is_left_over() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for dir in ["templates", "templates/part", "src/view", "src/api"] {
        for entry in std::fs::read_dir(root.join(dir)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() && path.file_name().is_some_and(|name| name != "text.rs") {
                all.push_str(&std::fs::read_to_string(path).expect("text"));
            }
        }
    }
    let used: HashSet<&str> = all
        .split("T::")
        .skip(1)
        .filter_map(|after| after.split(|c: char| !c.is_ascii_alphanumeric()).next())
        .collect();
    for text in Text::ALL {
        assert!(
            used.contains(format!("{text:?}").as_str()),
            "{text:?} is not used"
        );
    }
}

/// The texts that a script asks for by their whole key.
fn said(script: &str) -> HashSet<&str> {
    let asked = script.split("say('").skip(1);
    asked.filter_map(|rest| rest.split('\'').next()).collect()
}

#[test]
fn scripts_say_what_is_written_down_and_nothing_is_left_over() {
    let script = |name| {
        let asset = view::asset(name).expect("a script");
        std::str::from_utf8(asset.bytes).expect("text")
    };
    // Keys that are put together from a value: `state_open`.
    const MADE: &[&str] = &[
        "state_",
        "door_",
        "note_",
        "dialect_",
        "lane_",
        "live_",
        "key_",
        "all_",
        "sex_",
        "standing_",
        "kind_",
        "mode_",
        "fault_",
        "of_",
        "decision_",
        "event_",
        "people",
        "step_",
        "page_",
    ];
    for (words, scripts) in [
        (view::FLOW_WORDS, vec!["dom.js", "flows.js", "sequence.js"]),
        (view::CONTROL_WORDS, vec!["dom.js", "control.js"]),
    ] {
        let known: HashSet<&str> = words.iter().map(|(key, _, _)| *key).collect();
        assert_eq!(known.len(), words.len(), "a word twice");
        let text: String = scripts.iter().map(|name| script(name)).collect();
        for key in said(&text) {
            assert!(known.contains(key), "{key} is not written down");
        }
        for (key, zh, en) in words {
            assert!(!zh.is_empty() && !en.is_empty(), "{key}");
            let made = MADE.iter().any(|start| key.starts_with(start));
            let made = made || ["error", "warning", "note"].contains(key);
            // The sections of the control bring a note each.
            let key = key.strip_suffix("_note").unwrap_or(key);
            assert!(
                made || said(&text).contains(key) || text.contains(&format!("'{key}'")),
                "{key} is not said"
            );
            let gaps = |text: &str| {
                let mut gaps: Vec<String> = text
                    .split('{')
                    .skip(1)
                    .filter_map(|rest| rest.split_once('}'))
                    .map(|(gap, _)| gap.to_owned())
                    .collect();
                gaps.sort();
                gaps
            };
            assert_eq!(gaps(zh), gaps(en), "{key}");
        }
    }
}

#[test]
fn the_assets_are_small_and_have_lasting_names() {
    let css = view::asset("app.css").expect("the style sheet");
    // Was 14,000 before a form had a box to tick, 14,200 before the demo app had accounts.
    assert!(css.bytes.len() < 15_400, "{} bytes of CSS", css.bytes.len());
    assert!(view::asset("scan.js").expect("the script").bytes.len() < 4 * 1024);
    for (name, most) in [
        ("flows.css", 24),
        ("flows.js", 32),
        ("sequence.js", 24),
        ("dom.js", 8),
    ] {
        let asset = view::asset(name).expect("an asset");
        assert!(asset.bytes.len() < most * 1024, "{name}");
    }
    assert!(view::asset("nothing").is_none());
    assert_eq!(view::asset_url("nothing"), "/assets/nothing");
    for name in view::asset_names() {
        let asset = view::asset(name).expect("an asset");
        assert!(!asset.bytes.is_empty(), "{name}");
        // 64-bit FNV-1a of the content, in hex.
        let hash = asset
            .bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        assert_eq!(asset.etag, format!("\"{hash:016x}\""), "{name}");
        assert_eq!(
            view::asset_url(name),
            format!("/assets/{name}?v={hash:016x}"),
            "{name}"
        );
        let text = std::str::from_utf8(asset.bytes).expect("text");
        let bare = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(
            !bare.contains("http://") && !bare.contains("https://"),
            "{name}"
        );
        assert!(
            !text.contains("@import") && !text.contains("eval("),
            "{name}"
        );
    }
}
