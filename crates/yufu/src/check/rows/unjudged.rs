//! Rows that cannot be judged from outside a backend, each with the reason.

/// The rows that are not judged.
pub const UNJUDGED: &[(&str, &str)] = &[
    ("CLI-01", "The app's own screens: needs a device."),
    ("CLI-02", "The app's own screens: needs a device."),
    ("CLI-03", "The app's own screens: needs a device."),
    (
        "CLI-04",
        "What the app does with a result of its SDK: needs a device.",
    ),
    (
        "CLI-05",
        "Where terms are asked for differs from app to app, and much of it is on the screen.",
    ),
    ("CLI-06", "The app's own screens: needs a device."),
    (
        "CLI-07",
        "What the app does with a result of its SDK: needs a device.",
    ),
    (
        "CLI-08",
        "What the app does with a result of its SDK: needs a device.",
    ),
    (
        "CLI-09",
        "A screen that shows a code is the app's; the login behind it is judged as ACT-01.",
    ),
    (
        "ACT-04",
        "What a logged-out platform app asks for happens before your app hears anything.",
    ),
    (
        "ACT-06",
        "What the app keeps while it is not running is the app's; to a backend it is ACT-05.",
    ),
    (
        "COD-12",
        "What an SDK does with a state; a backend makes its own.",
    ),
    (
        "LGN-04",
        "Needs accounts from before a change of your own rules.",
    ),
    (
        "LGN-06",
        "Needs a disabled account, which only your own console makes.",
    ),
    (
        "LGN-08",
        "Needs the end of the cool-down of a deletion; what comes right after it is LGN-07.",
    ),
    (
        "PHO-05",
        "The same person is found by the unionid before it comes to a number: LGN-09.",
    ),
    (
        "PHO-07",
        "Replacing a login takes two proofs in an order that is each backend's own.",
    ),
    (
        "PHO-13",
        "Needs a carrier that tells of numbers given to new owners.",
    ),
    ("PHO-14", "Needs a carrier that logs in by one tap."),
    ("SMS-03", "Would take an hour, and a day."),
    (
        "SMS-04",
        "When a captcha is asked for, and which, is each backend's own.",
    ),
    (
        "SMS-08",
        "The gateway is yours: it is not the platform that misbehaves.",
    ),
    (
        "SMS-09",
        "The gateway is yours: it is not the platform that misbehaves.",
    ),
    (
        "REL-01",
        "Whether the platform is asked at each start is a setting; both are sound.",
    ),
    (
        "REL-08",
        "How tokens of the platform are kept cannot be seen from outside.",
    ),
    (
        "REL-09",
        "Tokens of the platform belong in no app; backends that hand them out do so each in their way.",
    ),
    (
        "REL-13",
        "Would take a month; what comes after it is LGN-03.",
    ),
    (
        "SES-01",
        "Who yields to whom is a setting; what happens is noted with SES-02.",
    ),
    (
        "SES-03",
        "Who yields to whom is a setting; what happens is noted with SES-02.",
    ),
    ("SES-04", "A list of devices is each backend's own."),
    ("SES-06", "Changing a number is each backend's own."),
    (
        "CON-04",
        "Needs linking, unlinking and changing at the same moment, each in a backend's own way.",
    ),
    (
        "CON-05",
        "Whether an erased account has a session cannot be seen from outside.",
    ),
    ("CON-06", "Needs your backend to die at a chosen moment."),
    ("CON-07", "Needs your backend to die at a chosen moment."),
    ("IDN-07", "What is kept cannot be seen from outside."),
];
