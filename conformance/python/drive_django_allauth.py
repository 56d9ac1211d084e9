"""django-allauth's `weixin` provider in a Django project: a website with a QR code, the token asked for with a form."""

import sys
import types

import django_site
from harness import authorize, client, drive, holds, query, same, subject

CALLBACK = "/accounts/weixin/login/callback/"
failures = []


def adapter():
    """The project's adapter, allauth's own hook for hearing why a login failed."""
    from allauth.socialaccount.adapter import DefaultSocialAccountAdapter

    class Adapter(DefaultSocialAccountAdapter):
        def on_authentication_error(self, request, provider, error=None, exception=None, extra_context=None):
            failures.append(f"{error} {exception}")

    return Adapter


def login():
    project = types.ModuleType("conformance_project")
    sys.modules[project.__name__] = project

    def routes():
        from django.urls import include, path
        project.Adapter = adapter()
        return [path("accounts/", include("allauth.urls"))]

    visitor = django_site.build(
        ["allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.weixin"], routes,
        ["allauth.account.middleware.AccountMiddleware"],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        SOCIALACCOUNT_ADAPTER="conformance_project.Adapter",
        SOCIALACCOUNT_STORE_TOKENS=True,
        SOCIALACCOUNT_PROVIDERS={"weixin": {"APPS": [{"client_id": client["appid"], "secret": client["secret"]}]}})
    redirect = f"http://{django_site.HOST}{CALLBACK}"

    def start():
        return visitor.post("/accounts/weixin/login/")["Location"]

    back = query(authorize(start(), redirect))
    done = visitor.get(CALLBACK, back)
    same("logged in", (done.status_code, done.get("Location")), (302, "/in/"))

    from allauth.socialaccount.models import SocialAccount, SocialToken

    account = SocialAccount.objects.get(provider="weixin")
    subject("openid", account.uid)
    subject("unionid", account.extra_data.get("unionid"))
    same("nickname", account.extra_data["nickname"], client["nickname"])
    holds("token kept", SocialToken.objects.get().token, "nothing stored")
    same("no failure", failures, [])

    # A used code, under a state of its own.
    fresh = query(authorize(start(), redirect))
    visitor.get(CALLBACK, {**fresh, "code": back["code"]})
    holds("40163", len(failures) == 1 and '"errcode":40163,' in failures[0], failures)


drive(login)
