"""Directives of modules that have no part in a reverse proxy, or none in this one: why they make no difference, or what
is lost without them. Tables only; a directive that is mapped has its handler in the module of its subject.
"""

from __future__ import annotations

from collections.abc import Mapping

_FORWARD = "it is for forward proxies"
_HTTP2 = "clients are spoken to in HTTP/1.1, which those of HTTP/2 speak as well"
IGNORED: Mapping[str, str] = {
    **dict.fromkeys(("noproxy", "proxydomain", "proxyftpdircharset", "proxyftplistonwildcard"), _FORWARD),
    **dict.fromkeys(
        ("h2push", "h2direct", "h2upgrade", "h2moderntlsonly", "h2maxsessionstreams", "h2windowsize", "h2earlyhints",
         "h2minworkers", "h2maxworkers", "h2maxworkeridleseconds", "h2streammaxmemsize", "h2serializeheaders",
         "h2tlswarmupsize", "h2tlscooldownsecs", "h2pushpriority", "h2pushdiarysize", "h2copyfiles", "h2padding",
         "h2outputbuffering", "h2streamtimeout", "h2proxyrequests"),
        _HTTP2,
    ),
    **dict.fromkeys(("rewritelog", "rewriteloglevel"), "explain says what rules do"),
    **dict.fromkeys(
        ("proxyhtmlextended", "proxyhtmllinks", "proxyhtmlevents", "proxyhtmlmeta", "proxyhtmlinterp",
         "proxyhtmlbufsize", "proxyhtmlcharsetout", "proxyhtmldoctype", "proxyhtmlfixups", "proxyhtmlstripcomments",
         "xml2encdefault", "xml2encalias"),
        "it only says how ProxyHTMLEnable works",
    ),
    "undefmacro": "it was followed while reading",
    "heartbeatmaxservers": "as many are kept as report",
    "registerhttpmethod": "every method is passed on",
    "stricthostcheck": "a host that nobody is named has the first one's answer, as without it",
    **dict.fromkeys(
        ("brotlicompressionquality", "brotlicompressionwindow", "brotlicompressionmaxinputblock", "brotlialteretag",
         "brotlifilternote", "deflatealteretag", "deflateinflatelimitrequestbody", "deflateinflateratioburst",
         "deflateinflateratiolimit"),
        "answers are passed on as they come, which clients take as well; members may compress",
    ),
    **dict.fromkeys(("authldapconnectionpoolttl", "ldapsharedcachesize", "ldapcacheentries", "ldapcachettl",
                     "ldapopcacheentries", "ldapopcachettl"), "no directory is asked"),
    **dict.fromkeys(("luaroot", "luapackagepath", "luapackagecpath", "luascope"), "there are no programs in Lua"),
    **dict.fromkeys(("cachelock", "cachelockpath", "cachelockmaxage", "cacheheader", "cachedetailheader",
                     "cachedirlevels", "cachedirlength", "cachemaxfilesize", "cacheminfilesize"), "nothing is cached"),
}  # fmt: skip

_CACHE = "nothing is cached: members are asked each time"
_BODIES = "bodies are passed on as they come: let members change them, or a proxy in front"
_HINTS = 'no dates are worked out: say max-age with Header set Cache-Control "max-age=…"'
_PROGRAMS = "there are no programs here: let a member run them"
_THROUGH = "members are connected to directly, through no other proxy"
LOST: Mapping[str, str] = {
    **dict.fromkeys(("cacheenable", "cachedisable", "cacheroot", "cachedefaultexpire", "cachemaxexpire",
                     "cacheignorecachecontrol", "cacheignoreheaders", "cacheignorenolastmod", "cacheignorequerystring",
                     "cachequickhandler", "cachestoreprivate", "cachestorenostore", "cachesocache", "cachefile",
                     "mmapfile", "cachelastmodifiedfactor", "cachekeybaseurl", "cachestaleonerror"), _CACHE),
    **dict.fromkeys(("substitute", "substitutemaxlinelength", "substituteinheritbefore", "filterdeclare",
                     "filterprovider", "filterchain", "extfilterdefine", "setinputfilter", "addinputfilter",
                     "proxyhtmlenable", "proxyhtmlurlmap", "outputsed",
                     "inputsed"), _BODIES),
    **dict.fromkeys(("expiresactive", "expiresdefault", "expiresbytype"), _HINTS),
    **dict.fromkeys(("wsgiscriptalias", "wsgidaemonprocess", "wsgiprocessgroup", "wsgipythonhome", "wsgipythonpath",
                     "php_value", "php_flag", "php_admin_value", "php_admin_flag", "action", "script", "fcgidwrapper",
                     "passengerroot", "passengerruby", "passengerenabled", "luahooktranslatename",
                     "luahookaccesschecker",
                     "luamaphandler", "perlresponsehandler", "suexecusergroup", "dav", "svnpath", "svnparentpath",
                     "davlockdb"), _PROGRAMS),
    **dict.fromkeys(("proxyremote", "proxyremotematch"), _THROUGH),
    "proxysourceaddress": "the system chooses the address that members see",
    **dict.fromkeys(("sslcarevocationfile", "sslcarevocationpath", "sslcarevocationcheck"),
                    "lists of revoked certificates are not looked at: certificates of clients hold until they end"),
    **dict.fromkeys(("sslproxycacertificatepath", "sslcacertificatepath", "sslproxymachinecertificatepath"),
                    "put the certificates of the folder into one file"),
    "sslstrictsnivhostcheck": "clients that name no host are answered by the first one",
    **dict.fromkeys(("authldapurl", "authldapbinddn", "authldapbindpassword", "authdbduserpwquery", "authdbmuserfile",
                     "authgroupfile", "authformprovider", "authformloginrequiredlocation", "authdigestprovider"),
                    "users are looked up in files made by htpasswd"),
    **dict.fromkeys(("session", "sessioncookiename", "sessioncryptopassphrase"), "there are no sessions but members'"),
    **dict.fromkeys(("virtualdocumentroot", "virtualscriptalias", "userdir", "checkspelling"),
                    "folders are served under fixed paths"),
    **dict.fromkeys(("heartbeatstorage", "heartbeataddress"), "reports of members come over the network"),
    "serverpath": "hosts are told by their names alone",
    "proxyexpressenable": "write a RewriteRule with a dbm map",
    "proxyexpressdbmfile": "write a RewriteRule with a dbm map",
}  # fmt: skip
