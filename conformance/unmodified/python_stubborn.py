"""The same, by a program that wants no proxy at all."""
import urllib.request

import python_urllib

python_urllib.main(urllib.request.ProxyHandler({}))
