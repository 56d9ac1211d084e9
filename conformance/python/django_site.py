"""A Django project without files: settings given here, a database in memory, and its test client as the visitor."""

import sys
import types

import django
from django.conf import settings

HOST = "127.0.0.1:8000"


def build(apps, routes, middleware=(), **more):
    """Makes the project and returns a visitor. `routes` is called for the URL patterns once Django is set up."""
    urls = types.ModuleType("conformance_urls")
    sys.modules[urls.__name__] = urls
    settings.configure(
        SECRET_KEY="for one run only, and for nobody's data",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=urls.__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                        "django.contrib.messages", *apps],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                    "django.contrib.auth.middleware.AuthenticationMiddleware",
                    "django.contrib.messages.middleware.MessageMiddleware", *middleware],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
            "context_processors": ["django.template.context_processors.request",
                                   "django.contrib.auth.context_processors.auth"]}}],
        LOGIN_REDIRECT_URL="/in/",
        USE_TZ=True,
        **more)
    django.setup()
    urls.urlpatterns = routes()

    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    return Client(HTTP_HOST=HOST)
