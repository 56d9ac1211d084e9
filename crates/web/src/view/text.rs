//! Every text of the pages, in both languages. A text without one of them does not compile.

use super::lang::Lang;

macro_rules! texts {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        /// A text of the pages. `{}` marks a gap, see [`Lang::with`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Text {
            $(#[doc = $en] $name,)*
        }

        impl Text {
            /// All texts.
            pub const ALL: &'static [Text] = &[$(Text::$name),*];

            /// The text in a language.
            #[must_use]
            pub const fn in_lang(self, lang: Lang) -> &'static str {
                match (lang, self) {
                    $((Lang::Zh, Text::$name) => $zh,
                      (Lang::En, Text::$name) => $en,)*
                }
            }
        }
    };
}

texts! {
    // The frame of every page.
    Brand: "鱼符 yufu", "yufu";
    BrandHome: "鱼符首页", "yufu home";
    Footer: "与微信登录接口兼容；与腾讯无关。", "Compatible with WeChat login. Not affiliated with Tencent.";
    GoOn: "继续", "Continue";
    Back: "返回", "Back";

    // Signing in.
    SignIn: "登录", "Sign in";
    SignInTitle: "登录鱼符", "Sign in to yufu";
    SignInFor: "登录后继续使用“{}”", "to continue to “{}”";
    ByWhat: "登录方式", "How to sign in";
    ByPassword: "密码登录", "Password";
    ByPasscode: "验证码登录", "Passcode";
    Phone: "手机号", "Phone number";
    PhoneHint: "中国大陆以外的号码请带国家码，如 +44。", "Outside mainland China, start with the country code, such as +44.";
    Password: "密码", "Password";
    SendPasscode: "获取验证码", "Send a passcode";
    ForgotPassword: "忘记密码？", "Forgot password?";
    NoAccount: "还没有账号？", "No account yet?";
    SignUp: "注册", "Sign up";
    HaveAccount: "已有账号？", "Have an account?";
    DevPeopleTitle: "沙箱里的人", "People of this sandbox";
    DevPeopleHint: "仅开发模式可见，点一下即可登录。", "Only in development: one tap signs in.";
    SignInAs: "以 {} 登录", "Sign in as {}";

    // The login API's own pages.
    LoginTitle: "登录", "Log in";
    LoginAgree: "我已阅读并同意用户协议和隐私政策", "I accept the terms and the privacy policy";
    BindElsewhere: "这里不发送验证码，请在应用里绑定手机号。", "No passcodes are sent here. Bind the number in the app.";
    LoginNeedAgree: "请先勾选同意协议。", "Please accept the terms first.";
    LoginWechat: "微信登录", "Log in with WeChat";
    LoggedInTitle: "已登录", "You are logged in";
    BindTitle: "绑定手机号", "Add your phone number";
    BindWhy: "微信登录成功，再绑定手机号就好了。", "WeChat knows you. Add your phone number, and you are in.";
    BindDo: "绑定并登录", "Add it and log in";
    BindConfirmTitle: "这个号码已有账号", "This number has an account";
    BindConfirmText: "账号“{}”是你的吗？", "Is the account “{}” yours?";
    BindConfirmYes: "是我的，关联微信并登录", "It is mine: add WeChat and log in";
    BindTakenTitle: "这个号码绑定了另一个微信", "This number has another WeChat";
    BindTakenText: "那个微信是“{}”。可以换个号码，或用那个微信登录。", "That WeChat is “{}”. Use another number, or log in with that one.";
    BindTakenReplace: "改用现在的微信", "Use this WeChat instead";
    BindProveTitle: "还需要验证原来的微信", "One more proof is needed";
    BindProveText: "用原来的微信授权一次即可替换；或等到 {} 再试。", "Authorize once with the other WeChat. Without it, come back on {}.";
    BindProveDo: "验证原来的微信", "Prove the other WeChat";
    BindReplaceTitle: "原来的微信已验证", "The other WeChat is proved";
    BindReplaceText: "替换后，其他设备需要重新登录。", "Your other devices will have to log in again.";
    BindRecycledTitle: "这个号码可能换过主人", "This number may have a new owner";
    BindRecycledText: "如果原来的账号不是你的，就重新开始；你不会看到它的任何内容。", "If the account is not yours, start a new one. You will see nothing of the old.";
    BindRecycledFresh: "不是我的，重新开始", "Not mine: start a new one";
    ChooseTitle: "保留哪个账号？", "Which account stays?";
    ChooseText: "这个微信对应两个账号，它们会合为一个。", "This WeChat leads to two accounts. They become one.";
    ChooseKeep: "保留 {}", "Keep {}";
    CancelTitle: "账号正在注销", "Your account is being deleted";
    CancelText: "它将在 {} 被彻底删除。", "It will be gone on {}.";
    CancelDo: "不注销了，登录", "Keep it and log in";

    // Passcodes.
    PasscodeTitle: "输入验证码", "Enter the passcode";
    PasscodeSentTo: "已发送到 {}", "Sent to {}";
    Passcode: "验证码", "Passcode";
    PasscodeHint: "6 位数字，5 分钟内有效。", "6 digits, good for 5 minutes.";
    Resend: "重新发送", "Send again";
    OtherNumber: "换个号码", "Use another number";
    OpenInbox: "打开沙箱收件箱", "Open the sandbox inbox";

    // Sign up, reset, change.
    SignUpTitle: "注册鱼符账号", "Create a yufu account";
    Nickname: "昵称", "Nickname";
    NewPassword: "新密码", "New password";
    PasswordOptional: "密码（可不设）", "Password (optional)";
    PasswordHint: "至少 8 个字符。", "At least 8 characters.";
    PasswordOptionalHint: "至少 8 个字符；留空则用验证码登录。", "At least 8 characters. Leave empty to sign in by passcode.";
    SignUpDo: "完成注册", "Create account";
    ResetTitle: "重设密码", "Reset password";
    ResetIntro: "先验证手机号，再设新密码。", "Prove your phone number, then choose a new password.";
    ResetDo: "设置新密码", "Set new password";
    ChangeTitle: "修改密码", "Change password";
    SetTitle: "设置密码", "Set a password";
    CurrentPassword: "当前密码", "Current password";
    ChangeDo: "保存新密码", "Save new password";
    ChangeNote: "修改后，其他设备将退出登录，应用需重新授权。", "Other devices are signed out, and apps must ask again.";

    // What is wrong with a form.
    ProblemWrongPassword: "手机号或密码不对。", "Phone number or password is wrong.";
    ProblemWrongCurrent: "当前密码不对。", "The current password is wrong.";
    ProblemWrongPasscode: "验证码不对。", "That passcode is wrong.";
    ProblemPasscodeExpired: "验证码已过期，请重新获取。", "That passcode has expired. Send a new one.";
    ProblemTooOften: "尝试太多，请 {} 秒后再试。", "Too many tries. Wait {} seconds.";
    ProblemBadPhone: "这不是有效的手机号。", "That is not a phone number.";
    ProblemBadPassword: "密码需 8 到 128 个字符。", "A password has 8 to 128 characters.";
    ProblemBadNickname: "昵称需 1 到 32 个字符。", "A nickname has 1 to 32 characters.";
    ProblemPhoneTaken: "该手机号已注册，请直接登录。", "This number has an account. Sign in instead.";
    ProblemStale: "页面打开太久了，请再提交一次。", "The page was open too long. Please send it again.";

    // The QR page.
    ScanTitle: "扫码登录", "Scan to log in";
    ScanTo: "正在登录“{}”", "You are logging in to “{}”";
    ScanDefault: "请用手机扫描二维码", "Scan the code with your phone";
    ScanAlt: "登录二维码", "QR code to log in";
    ScanScanned: "扫描成功", "Scanned";
    ScanScannedNext: "请在手机上点“允许”", "Now allow it on your phone";
    ScanCancelled: "已取消登录", "Cancelled";
    ScanCancelledNext: "可以再扫一次，或关闭此页", "Scan again, or close this page";
    ScanExpired: "二维码已过期", "This code has expired";
    ScanExpiredNext: "正在换一个新的…", "Getting a new one…";
    ScanRenew: "换一个二维码", "Get a new code";
    ScanLeft: "{} 后过期", "expires in {}";
    ScanGo: "登录成功，正在返回…", "Logged in. Going back…";
    ScanGoLink: "没有跳转？点这里", "Not moving? Tap here";
    ScanTrouble: "网络不通，正在重试…", "No connection. Trying again…";
    ScanNoScript: "本页需要脚本才能得知扫码结果：请启用 JavaScript 后刷新。", "This page needs scripts to hear from your phone: switch them on and reload.";
    ScanDev: "在“手机”上打开", "Open on the “phone”";
    ScanDevHint: "开发模式：不用手机，直接打开确认页。", "In development, no phone is needed.";

    // Consent.
    ConsentTitle: "允许登录“{}”？", "Log in to “{}”?";
    ConsentBy: "开发者：{}", "by {}";
    ConsentGets: "该应用将获得：", "The app will get:";
    ConsentAs: "当前账号", "Signed in as";
    ConsentSwitch: "不是你？切换账号", "Not you? Switch";
    ConsentHost: "登录后返回 {}", "You will return to {}";
    ConsentNative: "登录后将打开手机应用 {}。如果登录不是你在该应用里发起的，请拒绝。", "This will open the app {} on this device. Deny it unless you started the login there.";
    ConsentScan: "你正在登录电脑或其他屏幕。只有亲自扫描了二维码，才点“允许”。", "You are logging in on a computer or another screen. Only continue if you scanned this code yourself.";
    Allow: "允许", "Allow";
    Deny: "拒绝", "Deny";
    Cancel: "取消", "Cancel";
    ShareId: "一个只属于该应用的匿名编号", "An anonymous id made for this app only";
    ShareIdNote: "认得出是同一个人，但不知道你是谁", "It can tell that it is you again, but not who you are";
    ShareProfile: "你的昵称和头像", "Your nickname and picture";
    ShareProfileNote: "不含手机号", "Not your phone number";
    ShareRegion: "你的性别和地区", "Your gender and region";
    ShareRegionNote: "以账号资料里填写的为准", "As far as your profile says";
    SharePhone: "你的手机号", "Your phone number";
    ShareEmail: "你的邮箱", "Your email address";

    // After the scan, on the phone.
    ScanDoneTitle: "已允许", "Allowed";
    ScanDoneText: "请回到电脑上继续使用“{}”。", "Go back to your computer to use “{}”.";
    ScanDoneClose: "此页可以关闭。", "You can close this page.";
    ScanEndCancelledTitle: "已取消", "Cancelled";
    ScanEndCancelledText: "“{}”没有得到任何信息。", "“{}” has received nothing.";
    ScanEndExpiredTitle: "二维码已过期", "This code has expired";
    ScanEndExpiredText: "请回到电脑上，重新扫描“{}”的二维码。", "Go back to your computer and scan the new code of “{}”.";

    // Short messages.
    SignedOutTitle: "已退出登录", "Signed out";
    SignedOutText: "已登录的应用不受影响，可在“我的账号”里取消授权。", "Apps you logged in to keep running; revoke them in “My account”.";
    SignInAgain: "重新登录", "Sign in again";
    DeniedTitle: "已拒绝", "Denied";
    DeniedText: "该应用没有得到任何信息，此页可以关闭。", "The app has received nothing. You can close this page.";

    // Errors.
    ForDeveloper: "给开发者", "For the developer";
    ErrorNumber: "错误码", "Error";
    Incident: "事件编号", "Incident";
    IncidentHint: "联系我们时请附上此编号。", "Please name it when you write to us.";
    Source: "依据", "Rule";
    TroubleAppTitle: "这个应用暂时无法登录", "This app cannot log you in";
    TroubleAppAdvice: "是该应用的设置有误，不是你的问题。请返回，或联系该应用的开发者。", "The app is set up wrongly; it is nothing you did. Go back, or tell the app’s developer.";
    TroubleClosedTitle: "这个应用暂不开放登录", "This app is closed for now";
    TroubleClosedAdvice: "该应用已被停用。", "The app has been switched off.";
    TroubleTooOftenTitle: "操作太频繁", "Too often";
    TroubleTooOftenAdvice: "请稍等一分钟再试。", "Please wait a minute and try again.";
    TroubleOpenInClientTitle: "请在手机客户端里打开", "Open this on your phone";
    TroubleOpenInClientAdvice: "这个页面只能在手机客户端内登录。", "This page logs you in inside the phone client only.";
    TroubleExpiredTitle: "这次登录已失效", "This login is over";
    TroubleExpiredAdvice: "它已用过或超时。请回到应用里重新开始。", "It was used or took too long. Go back to the app and start again.";
    TroubleForgedTitle: "请重新操作一次", "Please do that again";
    TroubleForgedAdvice: "我们没能确认这是你本人在本页提交的，所以什么都没有改变。", "We could not make sure that this came from our own page, so nothing was changed.";
    TroubleRestrictedTitle: "你的账号暂时受限", "Your account is restricted";
    TroubleRestrictedAdvice: "目前不能用它登录其他应用。请联系平台。", "It cannot log in to other apps for now. Please contact the platform.";
    TroubleNotFoundTitle: "没有这个页面", "There is no such page";
    TroubleNotFoundAdvice: "请检查地址是否完整。", "Check that the address is complete.";
    TroubleBusyTitle: "系统繁忙", "Something broke on our side";
    TroubleBusyAdvice: "请稍后再试。你的数据没有受影响。", "Please try again in a moment. Your data is safe.";

    // My account.
    AccountTitle: "我的账号", "My account";
    ProfileTitle: "个人资料", "Profile";
    ProfileNote: "这些是你允许的应用能看到的。", "This is what the apps you allow can see.";
    EditProfile: "修改资料", "Edit profile";
    Save: "保存", "Save";
    Sex: "性别", "Gender";
    SexUnknown: "未填写", "Not said";
    SexMale: "男", "Male";
    SexFemale: "女", "Female";
    Country: "国家或地区", "Country or region";
    Province: "省份", "Province";
    City: "城市", "City";
    Language: "语言", "Language";
    LanguageNone: "未填写", "Not said";
    SecurityTitle: "登录与安全", "Sign-in and safety";
    SignOut: "退出登录", "Sign out";
    SignOutAll: "退出所有设备", "Sign out everywhere";
    AppsTitle: "我授权的应用", "Apps I authorized";
    AppsEmpty: "还没有授权任何应用。", "No apps yet.";
    AppsEmptyHint: "用这个账号登录过的应用会列在这里，随时可以取消。", "Apps that you log in to are listed here, and you can revoke them at any time.";
    Since: "授权于 {}", "since {}";
    LastUsed: "最近使用 {}", "last used {}";
    NeverUsed: "尚未使用", "not used yet";
    Revoke: "取消授权", "Revoke";
    RevokeOf: "取消对“{}”的授权", "Revoke “{}”";
    RevokeNote: "它将立刻不能再读取你的资料；下次登录会重新询问你。", "It can no longer read your profile, from now on; next time it must ask you again.";
    RevokeDo: "确定取消", "Yes, revoke";
    DoneSaved: "已保存", "Saved";
    DoneRevoked: "已取消授权", "Revoked";
    DonePasswordChanged: "密码已修改", "Password changed";

    // The sandbox.
    DevTitle: "沙箱已就绪", "Your sandbox is ready";
    DevIntro: "一套完整的登录平台，跑在你自己的机器上。里面的人和应用都是假的，随便玩。", "A whole login platform on your own machine. Nothing here is real, so try everything.";
    DevFirst: "先点这里", "Click here first";
    DevFirstNote: "打开演示应用“小屋”，扫码登录一次。", "Open the demo app “Rooms” and log in by QR code once.";
    DevOpenDemo: "打开演示应用", "Open the demo app";
    DevThen: "然后", "Then";
    DevInboxLink: "收件箱", "Inbox";
    DevInboxNote: "“发出”的验证码都在这里", "every passcode that was “sent”";
    DevCodesLink: "小程序登录码", "Mini program codes";
    DevCodesNote: "签发 jscode2session 用的 code", "issue a code for jscode2session";
    DevAccountNote: "资料、密码、授权的应用", "profile, password, apps";
    DevPlaces: "沙箱", "Sandbox";
    NeedsScript: "本页需要脚本：请启用 JavaScript 后刷新。", "This page needs scripts: switch them on and reload.";
    FlowsTitle: "登录图", "Flows";
    FlowsLink: "登录图", "Flows";
    FlowsNote: "每次登录的实时图，问题一目了然", "every login as a live picture, with what is wrong";
    PhoneLink: "手机", "Phone";
    PhoneNote: "扫码、同意、拒绝", "scan, agree, say no";
    ControlLink: "控制台", "Control";
    ControlNote: "人、应用、故障、时钟", "people, apps, faults, the clock";
    DevPeople: "人", "People";
    DevClients: "应用", "Clients";
    DevPoint: "把你自己的应用指过来", "Point your own app here";
    DevPointNote: "把微信的三个域名换成这个地址，其余代码不用改：", "Replace WeChat’s three hosts with this address; the rest of your code stays:";
    Secret: "密钥", "Secret";
    ReturnDomain: "回调", "Returns to";
    LockedTitle: "需要本次运行的口令", "This page wants the token of this run";
    LockedWhy: "这里能以任何人的身份登录，所以只对启动沙箱的人开放。", "Here anybody can be logged in as anybody, so it opens only to whoever started the sandbox.";
    LockedWhere: "口令在启动沙箱的终端里（“Click here first”那一行；--json 时是 token）。打开那个地址，或把口令粘贴到这里。", "The token is in the terminal that started the sandbox: the line “Click here first”, or “token” with --json. Open that address, or paste the token here.";
    LockedWrong: "这不是本次运行的口令：每次启动都会换一个。", "That is not the token of this run: each start draws another.";
    LockedToken: "口令", "Token";
    LockedOpen: "打开", "Open";
    InboxTitle: "收件箱", "Inbox";
    InboxNote: "沙箱不发真短信；每 {} 秒自动刷新。", "The sandbox sends no real messages. Reloads every {} seconds.";
    InboxEmpty: "还没有验证码。", "No passcodes yet.";
    InboxEmptyHint: "在登录页选“验证码登录”，它就会出现在这里。", "Choose “Passcode” on the sign-in page and it will turn up here.";
    InboxOld: "已失效", "no longer good";
    CodesTitle: "签发小程序登录码", "Issue a mini program code";
    CodesNote: "相当于 wx.login() 得到的 code，拿去调用 /sns/jscode2session。", "What wx.login() would give; hand it to /sns/jscode2session.";
    ChooseClient: "应用", "Client";
    ChoosePerson: "人", "Person";
    IssueDo: "签发", "Issue";
    CodeIs: "登录码", "The code";
    CodeFor: "{} 秒内有效，只能用一次", "good for {} seconds, once";
    JustNow: "刚刚", "just now";
    SecondsAgo: "{} 秒前", "{} s ago";
    MinutesAgo: "{} 分钟前", "{} min ago";
    HoursAgo: "{} 小时前", "{} h ago";
    DaysAgo: "{} 天前", "{} d ago";

    // The demo app.
    RoomsBrand: "小屋 Rooms", "Rooms 小屋";
    RoomsTag: "租房演示应用", "a small rental demo";
    RoomsHero: "在城里，找一间安静的小屋", "Find a quiet room in the city";
    RoomsIntro: "登录后收藏房源、预约看房。", "Log in to keep favourites and book a visit.";
    RoomsFooter: "这是演示：登录由 {} 经手", "A demo. Logins go through {}";
    RoomsDevice: "设备 {}", "Device {}";
    RoomsLoginScan: "微信登录（兼容）", "Log in with WeChat (compatible)";
    RoomsLoginScanNote: "在电脑上：出二维码，用手机扫", "On a computer: shows a QR code for your phone";
    RoomsLoginNative: "在这台手机上登录", "Log in on this phone";
    RoomsLoginNativeNote: "像手机应用那样跳转，再带着结果码回来", "Hands over as a mobile app does and comes back with a result code";
    RoomsLoginPage: "客户端内的网页", "Page inside the client";
    RoomsLoginPageNote: "在客户端里打开的网页用的授权", "What a page opened inside the client uses";
    RoomsLoginPhone: "手机号登录", "Log in by phone number";
    RoomsLoginPhoneNote: "不用微信，收一条验证码", "Without WeChat: a passcode is sent";
    RoomsWelcome: "你好，{}", "Hello, {}";
    WireTitle: "给开发者：线上说了什么", "For the developer: what went over the wire";
    WirePicture: "把这次登录画成图", "See this login as a picture";
    WireSent: "发出", "sent";
    WireGot: "收到", "received";
    WireNothing: "没有别的字段", "no further fields";

    // Proving a phone number to the demo app.
    RoomsPhoneTitle: "手机号登录", "Log in by phone number";
    RoomsPhoneWhy: "没有账号也可以：验证后自动注册。", "No account yet? It is made once the number is proved.";
    RoomsChangeTitle: "更换手机号", "Change the phone number";
    RoomsChangeWhy: "先验证现在的身份，再换成新号码。", "Prove that it is you, then give the new number.";
    RoomsChangeDo: "更换手机号", "Change the number";
    RoomsNewNumber: "你已通过验证，请输入新号码。", "That was you. Now the new number.";
    RoomsLinkWhy: "微信已授权。关联前请验证手机号，确认是你本人。", "WeChat said yes. Before it is linked, prove by your number that it is you.";
    RoomsUnlinkTitle: "解绑微信", "Unlink WeChat";
    RoomsUnlinkWhy: "解绑后只能用手机号登录，所以先验证手机号。", "From then on you log in by phone number alone, so the number is proved first.";
    RoomsUnlinkDo: "解绑微信", "Unlink WeChat";
    RoomsDeleteTitle: "注销账号", "Delete the account";
    RoomsDeleteWhy: "所有设备会退出登录。7 天内重新登录可以反悔，之后彻底删除。", "Every device is logged out. For 7 days you can log in and take it back; then it is gone for good.";
    RoomsDeleteDo: "注销账号", "Delete the account";
    RoomsOwnSend: "发送验证码到 {}", "Send a passcode to {}";
    RoomsOwnWechat: "改用微信验证", "Prove it with WeChat instead";
    RoomsInbox: "开发模式不发短信：验证码在收件箱里", "In development nothing is sent: the passcode is in the inbox";

    // An account of the demo app.
    RoomsUid: "账号", "Account";
    RoomsBound: "已绑定", "bound";
    RoomsUnbound: "未绑定", "not bound";
    RoomsSince: "注册于", "Member since";
    RoomsHere: "这台设备", "This device";
    RoomsLater: "过几天再打开", "Coming back later";
    RoomsLaterNote: "应用凭刷新令牌再次登录：没有授权页，也没有验证码。", "The app logs in again with its refresh token: no authorization page, no passcode.";
    RoomsAgain: "再次登录，免授权页", "Log in again, no page";
    RoomsRefresh: "刷新会话", "Refresh the session";
    RoomsDevices: "登录的设备", "Devices";
    RoomsDevicesNote: "看看哪里登录着，移除一台", "Where you are logged in; remove one";
    RoomsDevicesText: "移除后，那台设备下次打开时要重新登录。", "A device that you remove must log in anew when it is next opened.";
    RoomsRemove: "移除", "Remove";
    RoomsOther: "打开设备 {}", "Open device {}";
    RoomsOtherNote: "在新标签页里：另一台设备，同一个应用。", "In a new tab: another device, the same app.";
    RoomsSecurity: "账号与安全", "Account and security";
    RoomsSecurityNote: "手机号、微信、注销", "Phone number, WeChat, the end";
    RoomsNoPhone: "没有手机号", "No phone number";
    RoomsWechat: "微信", "WeChat";
    RoomsNoWechat: "没有关联微信：只能用手机号登录。", "No WeChat is linked: you log in by phone number alone.";
    RoomsLinkedSince: "关联于 {}", "linked {}";
    RoomsLoginDead: "授权已撤回，不能再用", "withdrawn at WeChat, no longer good";
    RoomsLink: "关联微信", "Link WeChat";
    RoomsEnd: "离开小屋", "Leaving Rooms";
    RoomsHome: "我的小屋", "My rooms";
    LogOut: "退出小屋", "Log out";
    RoomsDoneLogin: "登录成功。", "You are logged in.";
    RoomsDoneAgain: "又登录了一次：没有授权页，没有验证码，令牌换了新的。", "Logged in again: no page, no passcode, and a new token.";
    RoomsDoneRefreshed: "会话已刷新，旧令牌作废。", "The session was refreshed; the old token is no longer good.";
    RoomsDoneRemoved: "那台设备已退出登录。", "That device is logged out.";
    RoomsDoneLinked: "微信已关联。", "WeChat is linked.";
    RoomsDoneUnlinked: "微信已解绑。", "WeChat is unlinked.";
    RoomsDoneChanged: "手机号已更换。", "The phone number was changed.";
    RoomsDoneKept: "不注销了，账号还是你的。", "Taken back: the account stays yours.";
    RoomsDeletedTitle: "账号将被注销", "Your account will be deleted";
    RoomsDeletedText: "到 {} 彻底删除。在那之前重新登录，就可以反悔。", "It will be gone on {}. Log in before then to take it back.";
    RoomsBackHome: "回到首页", "Back to the start";

    // The phone of the sandbox.
    HandTitle: "手机", "Phone";
    HandIntro: "沙箱里一个人的手机：扫码、同意、拒绝、看短信。", "A phone of the sandbox: scan, agree, refuse, read messages.";
    HandWhose: "谁的手机", "Whose phone";
    HandNow: "此刻", "Now";
    HandApps: "授权", "Apps";
    HandSms: "短信", "Messages";
    HandResults: "结果", "Results";
    HandScan: "扫一扫", "Scan";
    HandScanWhat: "粘贴二维码内容或授权地址", "Paste what the QR code says, or an authorize address";
    HandScanDo: "扫描", "Scan it";
    HandBeside: "旁边屏幕上的二维码", "QR codes on screens beside you";
    HandBesideNone: "现在没有二维码。在电脑上打开应用的微信登录，它就会出现在这里。", "No code is shown now. Open an app’s login on a screen, and its code appears here.";
    HandAsks: "请求登录", "wants to log you in";
    HandGets: "它会得到", "It will get";
    HandAgree: "同意", "Agree";
    HandDeny: "拒绝", "Refuse";
    HandCancel: "返回", "Go back";
    HandIgnore: "不理会", "Ignore";
    HandByScan: "扫码登录", "by QR code";
    HandByApp: "手机应用", "from an app on this phone";
    HandByPage: "客户端内网页", "from a page in the client";
    HandAppsNone: "还没有授权过任何应用。", "No app has been authorized.";
    HandSince: "授权于 {}", "since {}";
    HandRevoke: "取消授权", "Revoke";
    HandRevokeSure: "再点一次取消授权", "Tap again to revoke";
    HandSmsNone: "没有短信。", "No messages.";
    HandResultsNone: "手机应用拿到的结果会显示在这里。", "What apps on this phone were told appears here.";
    HandInstalled: "已安装兼容客户端", "The client is installed";
    HandInstalledNote: "关掉后，应用的 SDK 会得到“未安装”。", "Without it, the SDK of an app says “not installed”.";
    HandDone: "已完成", "Done";
    HandOffline: "连接不上沙箱，正在重试…", "The sandbox does not answer; trying again…";
    HandNeedsScript: "这部手机需要 JavaScript。", "This phone needs JavaScript.";
    HandCopy: "复制", "Copy";
    HandCopied: "已复制", "Copied";
    HandShown: "等待扫描", "waiting to be scanned";
    HandScanned: "已扫描", "scanned";
    HandAllowed: "已同意", "Agreed";
    HandRefused: "已拒绝", "Refused";
    HandClosed: "已返回", "Went back";
    HandIgnored: "没有理会", "Ignored";

    // What went wrong, and what to do.
    DemoErrorTitle: "登录没有成功", "That did not work";
    RoomsOutTitle: "这台设备需要重新登录", "This device must log in again";
    TryAgain: "再试一次", "Try again";
    RoomsOtherWechat: "用那个微信登录", "Log in with that WeChat";
    RoomsAuthorize: "重新授权", "Authorize again";
    RoomsUsePhone: "用手机号登录", "Log in by phone number";
    MeansNoCode: "没有得到回答，或 state 不是这个浏览器发出的：请从头再来。", "No answer came, or the state is not one that this browser sent: start again.";
    MeansTooOften: "操作太频繁，请稍等再试。", "Too often. Wait a little and try again.";
    MeansOver: "这次登录已失效，或属于另一台设备：请重新开始。", "This login is over, or belongs to another device: start again.";
    MeansAgain: "没有完成，请再试一次。", "It was not finished. Try once more.";
    MeansBadCode: "微信给的 code 过期了或已用过：请再点一次微信登录。", "WeChat’s code is too old or was used: tap WeChat login once more.";
    MeansUsePhone: "微信登录暂时不能用：请用手机号登录。", "WeChat login cannot be used now: log in by phone number.";
    MeansUpstreamBusy: "微信暂时没有回应：稍等几秒再试。", "WeChat does not answer: wait a few seconds and try again.";
    MeansAuthorize: "需要在微信重新授权一次。", "It takes a new authorization at WeChat.";
    MeansNotSent: "验证码没有发出去，请稍后再试。", "The passcode could not be sent. Try again later.";
    MeansCaptcha: "请求太多，需要先证明你不是程序。", "Too many requests: prove first that you are no program.";
    MeansCarrier: "一键登录没有成功：请改用验证码。", "One-tap login did not work: use a passcode.";
    MeansOtherWechat: "这个号码属于另一个微信的账号：换个号码，或用那个微信登录。", "The number belongs to an account with another WeChat: use another number, or log in with that WeChat.";
    MeansWechatTaken: "这个微信已经有账号：用微信登录就能进入。", "This WeChat has an account already: log in with it.";
    MeansLastWay: "这是唯一的登录方式：先绑定手机号。", "It is the only way in: add a phone number first.";
    MeansWhose: "请先确认账号是不是你的。", "Say first whether the account is yours.";
    MeansDeleting: "账号正在注销：重新登录可以反悔。", "The account is being deleted: log in to take it back.";
    MeansDisabled: "账号已被停用：请联系客服。", "The account is disabled: contact support.";
    MeansLinkedOther: "账号已关联另一个微信：先解绑。", "The account has another WeChat: unlink it first.";
    MeansProveFirst: "请先证明是你本人，再做这件事。", "Prove that it is you, then do it.";
    MeansLogInAgain: "登录已过期：请重新登录。", "The login is over: log in again.";
    MeansReplaced: "账号在另一台设备上登录了：若不是你，请更换手机号。", "The account was logged in on another device. If that was not you, change the number.";
    MeansKicked: "这台设备被另一台移除了：要继续，请重新登录。", "Another device removed this one: to go on, log in again.";
    MeansReused: "刷新令牌被用了两次，为安全起见已退出：请重新登录。", "A refresh token was used twice, so the session was ended: log in again.";
    MeansTooMany: "登录的设备太多：先在别的设备上退出。", "Too many devices are logged in: log out on another one first.";
    MeansUnknown: "没有更多说明，请看原文。", "Nothing more is known; see the words themselves.";
    NativeTitle: "手机应用收到了结果", "The app got its result";
    NativeStandIn: "这个网页代替一个手机应用：真实应用的 SDK 会收到同样的东西。", "This page stands in for a mobile app: the SDK of a real one would hand over the same.";
    NativeCallback: "回调地址", "Call-back address";
    NativeResponse: "响应对象", "Response object";
    NativeOk: "用户允许了，code 可以交给服务器。", "The person allowed it; the code may go to the server.";
    NativeCancelled: "用户关掉了页面。", "The person closed the page.";
    NativeDenied: "用户拒绝了。", "The person said no.";
    NativeBanned: "应用的包名或签名与登记的不一致。", "The app’s package or signature is not the registered one.";
    NativeGo: "把 code 交给服务器", "Hand the code to the server";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_something_and_have_the_same_gaps() {
        for text in Text::ALL {
            let [zh, en] = Lang::ALL.map(|lang| text.in_lang(lang));
            assert!(!zh.trim().is_empty() && !en.trim().is_empty(), "{text:?}");
            assert_ne!(zh, en, "{text:?}");
            assert_eq!(
                zh.matches("{}").count(),
                en.matches("{}").count(),
                "{text:?}"
            );
            assert!(zh.matches("{}").count() <= 1, "{text:?}");
        }
    }
}
