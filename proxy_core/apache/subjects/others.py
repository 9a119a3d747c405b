"""Directives of modules that have no part in a reverse proxy, or none in this one: why they make no difference, or what
is lost without them. Tables only; a directive that is mapped has its handler in the file of its subject.
"""

from __future__ import annotations

from proxy_core.apache.options import by_name

IGNORED = by_name({
    "clients are spoken to in HTTP/1.1, which those of HTTP/2 speak as well": """
        h2push h2direct h2upgrade h2moderntlsonly h2maxsessionstreams h2windowsize h2earlyhints h2minworkers
        h2maxworkers h2maxworkeridleseconds h2streammaxmemsize h2serializeheaders h2tlswarmupsize h2tlscooldownsecs
        h2pushpriority h2pushdiarysize h2copyfiles h2padding h2outputbuffering h2streamtimeout h2proxyrequests""",
    "it only says how ProxyHTMLEnable works": """
        proxyhtmlextended proxyhtmllinks proxyhtmlevents proxyhtmlmeta proxyhtmlinterp proxyhtmlbufsize
        proxyhtmlcharsetout proxyhtmldoctype proxyhtmlfixups proxyhtmlstripcomments xml2encdefault xml2encalias""",
    "there are no programs in Lua": "luaroot luapackagepath luapackagecpath luascope",
})  # fmt: skip
UNSUPPORTED = by_name({
    "bodies are passed on as they come: let members change them, or a proxy in front": """
        substitute substitutemaxlinelength substituteinheritbefore filterdeclare filterprovider filterchain
        extfilterdefine setinputfilter addinputfilter proxyhtmlenable proxyhtmlurlmap outputsed inputsed""",
    "there are no programs here: let a member run them": """
        wsgidaemonprocess wsgiprocessgroup wsgipythonhome wsgipythonpath php_value php_flag
        php_admin_value php_admin_flag script fcgidwrapper passengerroot passengerruby passengerenabled
        perlresponsehandler suexecusergroup svnpath svnparentpath davlockdb
        jkworkersfile jkmountfile jkworkerproperty""",
    "there are no sessions but members'": "session sessioncookiename sessioncryptopassphrase",
    "hosts are told by their names alone": "serverpath",
})  # fmt: skip
