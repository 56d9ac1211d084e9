"""social-auth-core in its Django dress, for both of its WeChat backends."""

import django_site
from harness import authorize, client, drive, holds, query, same, subject


def login(backend, setting, path, scope):
    def routes():
        from django.urls import include, path as route
        return [route("", include("social_django.urls", namespace="social"))]

    visitor = django_site.build(
        ["social_django"], routes,
        AUTHENTICATION_BACKENDS=[path, "django.contrib.auth.backends.ModelBackend"],
        **{f"SOCIAL_AUTH_{setting}_KEY": client["appid"], f"SOCIAL_AUTH_{setting}_SECRET": client["secret"],
           f"SOCIAL_AUTH_{setting}_SCOPE": [scope], f"SOCIAL_AUTH_{setting}_IGNORE_DEFAULT_SCOPE": True})
    redirect = f"http://{django_site.HOST}/complete/{backend}/"

    def start():
        return visitor.post(f"/login/{backend}/")["Location"]

    back = query(authorize(start(), redirect))
    done = visitor.get(f"/complete/{backend}/", back)
    same("logged in", (done.status_code, done["Location"]), (302, "/in/"))

    from social_django.models import UserSocialAuth

    account = UserSocialAuth.objects.get(provider=backend)
    subject("openid", account.uid)
    same("nickname", account.extra_data["username"], client["nickname"])
    holds("picture", "profile_image_url" in account.extra_data, account.extra_data)

    # The same person again is the same account.
    again = query(authorize(start(), redirect))
    visitor.get(f"/complete/{backend}/", again)
    same("one account", UserSocialAuth.objects.count(), 1)

    # A used code, under a state of its own.
    fresh = query(authorize(start(), redirect))
    fresh["code"] = back["code"]
    from social_core.exceptions import AuthProviderError
    try:
        visitor.get(f"/complete/{backend}/", fresh)
        holds("used code", False, "accepted again")
    except AuthProviderError as refusal:
        same("40163", refusal.provider_code, 40163)


def run(*arguments):
    drive(lambda: login(*arguments))
