#!/bin/sh
# A login with curl alone.
set -eu
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
param() { sed -n "s/.*[?&]$1=\([^&]*\).*/\1/p"; }

back=$(curl -fsS --max-time 20 -o /dev/null -w '%{redirect_url}' --get https://open.weixin.qq.com/connect/qrconnect \
    --data-urlencode "appid=$APPID" --data-urlencode "redirect_uri=$REDIRECT" \
    -d response_type=code -d scope=snsapi_login -d state=from-curl)
tokens=$(curl -fsS --max-time 20 --get https://api.weixin.qq.com/sns/oauth2/access_token \
    -d "appid=$APPID" -d "secret=$SECRET" -d "code=$(echo "$back" | param code)" -d grant_type=authorization_code)
openid=$(echo "$tokens" | field openid)
user=$(curl -fsS --max-time 20 --get https://api.weixin.qq.com/sns/userinfo \
    -d "access_token=$(echo "$tokens" | field access_token)" -d "openid=$openid")
trusted=$(curl -fsS --max-time 20 "$TRUSTED")
status=0
untrusted=$(curl -fsS --max-time 20 "$UNTRUSTED" 2>/dev/null) || status=$?
# 60: the peer's certificate could not be verified.
[ "$status" = 60 ] && untrusted=refused
printf '{"nickname":"%s","openid":"%s","state":"%s","trusted":"%s","untrusted":"%s"}\n' \
    "$(echo "$user" | field nickname)" "$openid" "$(echo "$back" | param state)" "$trusted" "$untrusted"
