//! The two languages of the pages.

use super::text::Text;

/// A language that every page speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Simplified Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// Both languages, for tests and for the gallery.
    pub const ALL: [Lang; 2] = [Lang::Zh, Lang::En];

    /// The tag for the `lang` attribute of a page.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }

    /// The short name, as in file names, `?lang=` links and WeChat's `lang` parameter
    /// (where Chinese is `cn`, see [`Lang::from_param`]).
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Lang::Zh => "zh",
            Lang::En => "en",
        }
    }

    /// The other language.
    #[must_use]
    pub const fn other(self) -> Lang {
        match self {
            Lang::Zh => Lang::En,
            Lang::En => Lang::Zh,
        }
    }

    /// The language's own name for itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Lang::Zh => "中文",
            Lang::En => "English",
        }
    }

    /// Reads a `lang` parameter: `cn`, `zh`, `zh_CN`, `zh-TW`… or `en`, `en_US`….
    #[must_use]
    pub fn from_param(value: &str) -> Option<Lang> {
        let value = value.trim().to_ascii_lowercase();
        if value == "cn" || value.starts_with("zh") {
            Some(Lang::Zh)
        } else if value.starts_with("en") {
            Some(Lang::En)
        } else {
            None
        }
    }

    /// Picks from an `Accept-Language` header: the best of Chinese and English, English for a
    /// reader who asked for neither, Chinese (the platform's default) when nothing was asked.
    #[must_use]
    pub fn from_accept(header: &str) -> Lang {
        let mut best: Option<(Lang, f32)> = None;
        let mut asked = false;
        for item in header.split(',') {
            let mut parts = item.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            if tag.is_empty() || tag == "*" {
                continue;
            }
            asked = true;
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            let Some(lang) = Lang::from_param(tag) else {
                continue;
            };
            if weight > best.map_or(0.0, |(_, so_far)| so_far) {
                best = Some((lang, weight));
            }
        }
        match best {
            Some((lang, _)) => lang,
            None if asked => Lang::En,
            None => Lang::Zh,
        }
    }

    /// A text in this language.
    #[must_use]
    pub const fn t(self, text: Text) -> &'static str {
        text.in_lang(self)
    }

    /// The part of a text that stands before its gap `{}` (the whole text if it has none).
    #[must_use]
    pub fn before(self, text: Text) -> &'static str {
        let whole = self.t(text);
        whole.split_once("{}").map_or(whole, |(before, _)| before)
    }

    /// The part of a text that stands after its gap `{}`.
    #[must_use]
    pub fn after(self, text: Text) -> &'static str {
        self.t(text).split_once("{}").map_or("", |(_, after)| after)
    }

    /// A text with its gap `{}` filled.
    #[must_use]
    pub fn with(self, text: Text, value: impl std::fmt::Display) -> String {
        format!("{}{value}{}", self.before(text), self.after(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_language_header_is_weighed() {
        for (header, lang) in [
            ("", Lang::Zh),
            ("*", Lang::Zh),
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("en-US,en;q=0.9,zh-CN;q=0.8", Lang::En),
            ("fr,zh;q=0.2,en;q=0.7", Lang::En),
            ("de", Lang::En),
            ("en;q=0, zh;q=0.1", Lang::Zh),
            (",;q=,;;", Lang::Zh),
        ] {
            assert_eq!(Lang::from_accept(header), lang, "{header}");
        }
    }

    #[test]
    fn the_lang_parameter_is_read_as_clients_send_it() {
        for value in ["cn", "zh_CN", "zh-TW", "ZH"] {
            assert_eq!(Lang::from_param(value), Some(Lang::Zh));
        }
        assert_eq!(Lang::from_param("en"), Some(Lang::En));
        assert_eq!(Lang::from_param("fr"), None);
    }

    #[test]
    fn a_gap_is_filled() {
        assert_eq!(Lang::En.with(Text::SecondsAgo, 5), "5 s ago");
        assert_eq!(Lang::Zh.after(Text::SignIn), "");
    }
}
