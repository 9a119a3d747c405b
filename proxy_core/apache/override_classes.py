"""Which directives a file of overrides (.htaccess) may have, by the words of AllowOverride.

The tables are the flags of httpd's command tables. ``ap_walk_config_sub`` in server/config.c refuses what the folder
does not allow, and every request for it is answered 500 then. What no table has is told as lost, like everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from proxy_core.apache.lexer import Directive

_CLASSES = {
    "limit": "allow deny order",
    "authconfig": """
        requireall requireany requirenone anonymous authbasicauthoritative authbasicfake authbasicprovider
        authbasicusedigestalgorithm authdbmgroupfile authdbmtype authdbmuserfile authdigestalgorithm authdigestdomain
        authdigestprovider authdigestqop authgroupfile authldapurl authldapbinddn authldapbindpassword
        authldapgroupattribute authldapgroupattributeisdn authldapremoteuserattribute authldapcompareasuser authmerging
        authname authtype authuserfile cgipassauth require satisfy session sslciphersuite sslrequire sslrequiressl
        sslusername sslverifyclient sslverifydepth""",
    "fileinfo": """
        acceptpathinfo action addcharset adddefaultcharset addencoding addhandler addinputfilter addlanguage
        addoutputfilter addoutputfilterbytype addtype browsermatch browsermatchnocase cookiedomain cookieexpires
        cookiename cookiestyle cookietracking defaultlanguage defaulttype enablemmap enablesendfile errordocument
        fileetag forcelanguagepriority forcetype header languagepriority mimeoptions multiviewsmatch passenv redirect
        redirectmatch redirectpermanent redirectrelative redirecttemp removecharset removeencoding removehandler
        removeinputfilter removelanguage removeoutputfilter removetype requestheader rewritebase rewritecond
        rewriteengine rewriteoptions rewriterule setenv setenvif setenvifexpr setenvifnocase sethandler setinputfilter
        setoutputfilter substitute substituteinheritbefore substitutemaxlinelength unsetenv""",
    "indexes": """
        addalt addaltbyencoding addaltbytype adddescription addicon addiconbyencoding addiconbytype defaulticon
        directorycheckhandler directoryindex directoryindexredirect directoryslash expiresactive expiresbytype
        expiresdefault fallbackresource headername indexheadinsert indexignore indexignorereset indexoptions
        indexorderdefault indexstylesheet readmename""",
    "options": """
        checkspelling checkcaseonly filterchain filterdeclare filterprotocol filterprovider options ssloptions xbithack
        php_value php_flag""",
}
_CLASS_OF = {name: kind for kind, names in _CLASSES.items() for name in names.split()}
_ANYWHERE = frozenset((
    "files", "filesmatch", "if", "elseif", "else", "limit", "limitexcept", "limitrequestbody", "limitxmlrequestbody",
    "rlimitcpu", "rlimitmem", "rlimitnproc", "serversignature", "fancyindexing",
))  # fmt: skip


def kept(
    directives: Iterable[Directive], words: Collection[str], listed: Collection[str], known: Collection[str]
) -> list[Directive] | None:
    """What these words of AllowOverride and names of AllowOverrideList let a file say; None where httpd answers 500 for
    it. ``known`` are the directives that there are, in lower case."""
    classes = {each.partition("=")[0] for each in words}
    options = next((each.partition("=")[2].split(",") for each in words if each.startswith("options=")), None)
    passes = {"nonfatal=override", "nonfatal=all"} & {*words}
    found = []
    for each in directives:
        kind = _CLASS_OF.get(each.key)
        allowed = each.key in _ANYWHERE or each.key in listed or (kind is None and each.key not in known)
        if kind is not None and ("all" in classes or kind in classes):
            named = {word.lstrip("+-").lower() for word in each.args}
            allowed = allowed or each.key != "options" or options is None or named <= {*options}
        if not allowed and not passes:
            return None
        if allowed and each.inside is not None:
            inner = kept(each.inside, words, listed, known)
            if inner is None:
                return None
        found += [each] if allowed else []
    return found
