"""What is one token to the Penn Treebank tokeniser of Stanford CoreNLP 3.4.1, and its spelling.

The longest match of all rules counts, of several the first rule. The facts are those of its lexer
(https://github.com/stanfordnlp/CoreNLP, ``process/PTBLexer.flex`` of 2014) with the options of
pycocoevalcap, oddities included: some words only with a capital, a list of file endings, one
emoticon whose ``~`` means "up to". Where the lexer gives a full stop back after an abbreviation,
nothing is given back here: the stop would be dropped as punctuation.
"""

import functools
from dataclasses import dataclass

from vilax.evaluation.metrics import ptb_spelling as spelling
from vilax.evaluation.metrics.ptb_automaton import Automaton
from vilax.evaluation.metrics.ptb_characters import WORD_SIGNS, is_digit, is_letter
from vilax.evaluation.metrics.ptb_patterns import Notation

PARTS = {
    "space": r"[ \t\u00a0\u2000-\u200a\u3000]",
    "break": r"([\n\r\v\f\u0085\u2028\u2029] | \r\n)",
    "gap": r"({space}|{break})",
    # Tags: attributes only in quotes, which may hold line breaks.
    "tag_name": r"[A-Za-z][A-Za-z0-9_:.\-]*",
    "tag_value": r"""('[^']*' | "[^"]*")""",
    "tag_attribute": r"{tag_name} ([ ]*=[ ]*{tag_value})?",
    "tag": r"< ([!?][A-Za-z\-][^>\r\n]* | {tag_name}([ ]+{tag_attribute})*[ ]*/? | /{tag_name})"
    r" [ ]*>",
    # Words and numbers.
    "number": r"({decimal}+ | {decimal}*([.:,\u00ad\u066b\u066c]{decimal}+)+)",
    "letter": rf"({{plain_letter}} | &[aeiouAEIOU](acute|grave|uml); | [{WORD_SIGNS}])",
    "run": r"{letter}({letter}|{decimal})*",
    "word": r"{run}([.!?]{run})*",
    "plain": r"({plain_letter}|{decimal})",
    "apostrophe": r"(['\u0092\u2019] | &apos;)",
    "tick": r"({apostrophe} | [`\u0091\u2018\u201b])",
    "clitic": r"{apostrophe}([msdMSD]|re|ve|ll)",
    "not": r"n{tick}t",
    "before_not": r"[A-Za-z\u00ad]*[A-MO-Za-mo-z]\u00ad*",
    "piece": r"([dDoOlL]{tick}{plain})?{plain}+",
    "compound": r"{piece}([\-_\u058a\u2010\u2011]{piece})*",
    "initials": r"[A-Za-z](\.[A-Za-z])+",
    "us_compound": r"((canada|sino|korean|eu|japan|non)\-u\.s | u\.s\.\-(u\.k|u\.s\.s\.r))",
    "numbered": r"[A-Za-z0-9][A-Za-z0-9.,\u00ad]*"
    r"(\-([A-Za-z0-9\u00ad]+ | ({initials}|{us_compound})\.))+",
    "joined": r"[A-Z]+(([+&]|&amp;)[A-Z]+)+",
    "slash_side": r"[A-Za-z0-9]+(\-[A-Za-z]+){0,2}",
    "slashed": r"{slash_side}(\\?/{slash_side}){1,2}",
    "elided": r"{apostrophe}(n{apostrophe}?|em|[2-9]0s|till?|cause)"
    r" | ([lLdDjJ]|dunkin|somethin|ol){apostrophe}"
    r" | [A-HJ-XZn]{tick}{plain_letter}{2}{plain_letter}*"
    r" | {plain_letter}+[aeiouyAEIOUY]{tick}[aeiouA-Z]{plain_letter}*"
    r" | cont'd\.? | nor'easter | c'mon | e'er | s'mores | ev'ry | li'l | nat'l | o{tick}o",
    # Addresses.
    "web": r"""https?://[^ \t\n\f\r"<>|(){}]+[^ \t\n\f\r"<>|.!?(){},\-]""",
    "site": r"""(www\.([^ \t\n\f\r"<>|.!?(){},]+\.)+[a-zA-Z]{2,4}"""
    r""" | ([^ \t\n\f\r"`'<>|.!?(){},-_$]+\.)+(com|net|org|edu))"""
    r"""(/[^ \t\n\f\r"<>|()]+[^ \t\n\f\r"<>|.!?(){},\-])?""",
    "mail": r"""(&lt;|<)?[a-zA-Z0-9][^ \t\n\f\r"<>|()\u00a0{}]*@"""
    r"""([^ \t\n\f\r"<>|(){}.\u00a0]+\.)*[^ \t\n\f\r"<>|(){}.\u00a0]+(&gt;|>)?""",
    "handle": r"@[a-zA-Z_][a-zA-Z_0-9]* | #{letter}+",
    "file": r"({letter}|{decimal})+(\.({letter}|{decimal})+)*\.(bat|bmp|c|class|cgi|cpp|dll|docx?"
    r"|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip)",
    "phone": r"(\([0-9]{2,3}\)[ \u00a0]? | (\+\+?)?([0-9]{2,4}[\- \u00a0])?[0-9]{2,4}[\- \u00a0])"
    r"[0-9]{3,4}[\- \u00a0]?[0-9]{3,5}"
    r" | ((\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}",
    # Abbreviations.
    "acronym": r"([A-Za-z]|{initials}|{us_compound})",
    "month_day": r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thu|thurs|fri",
    "state": r"ala|ariz|[A]z|[A]rk|calif|colo|conn|ct|dak|[D]el|fla|ga|[I]ll|ind|kans?|ky|[L]a"
    r"|[M]ass|md|mich|minn|[M]iss|mo|mont|neb|nev|okla|[O]re|[P]a|penn|tenn|[T]ex|va|vt|[W]ash"
    r"|wisc?|wyo",
    "firm": r"inc|cos?|corp|pp?t[ye]s?|ltd|plc|rt|bancorp|bhd|assn|univ|intl|sys",
    "before_small": r"({month_day}|{state}|{firm}|tel|est|ext|sq|jr|sr|bros|(ed|ph)\.d|blvd|rd|esq"
    r"|etc|al|seq|bldg)\.",
    "title": r"mr|mrs|ms|[M]iss|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev|maj"
    r"|sgt|cpl|pvt|capt|ste?|ave|pres|lieut|hon|brig|co?mdr|pfc|spc|supts?|det|mt|ft|adj|adv|asst"
    r"|assoc|ens|insp|mlle|mme|msgr|sfc",
    "before_capital": r"({title}|vs|alex|wm|jos|cie|a\.k\.a|cf|treas|ph|{acronym}|invt|elec|natl"
    r"|m[ft]g|dept)",
    "before_number": r"(ca|figs?|prop|nos?|art|bldg|pp|op)\.",
    "opener": r"[A](bout|ccording|dditionally|fter|n|s|t)? | [B]ut | [E]arlier | [H](e|er|ere)"
    r" | [H]owever | [I](f|n|t) | [L]ast | [M](any|ore|r\.|s\.) | [N]ow | [O](nce|ne|ther|ur)"
    r" | [S](he|ince|o|ome|uch) | [T](hat|he|heir|hen|here|hese|hey|his) | [W](e|hen|hile|hat)"
    r" | [Y](et|ou) | {tag}",
    # Signs.
    "mid_stop": r"[,;:\u3001]",
    "quote": r"{apostrophe} | ''"
    r" | [`\u0091-\u0094\u2018-\u201f\u2039\u203a\u00ab\u00bb]{1,2}",
    "double_quote": r"""(" | &quot;)""",
    "face": r"[<>]?[:;=][\-o*']?[()DPdpO\\\{@|\[\]]",
    "asian_face": r"[\^x=~<>]\.\[\^x=[^<]*<>\] | [\-\^x=~<>']_[\-\^x=~<>']"
    r" | \([\-\^x=~<>'][_.]?[\-\^x=~<>']\) | \([\^x=~<>']\-[\^x=~<>'`]\)",
}
"""Names for patterns; each may use those before it."""

STANDALONE = (
    r"[+%&~\^|\\\u00a6-\u00a9\u00ac\u00ae-\u00b4\u00b5-\u00ba\u00d7\u00f7\u0387\u05be\u05c0\u05c3"
    r"\u05c6\u05f3-\u05f4\u0600-\u0603\u0606-\u060a\u060c\u0614\u061b\u061e\u066a\u066d"
    r"\u0703-\u070d\u07f6-\u07f8\u0964-\u0965\u0e4f\u1fbd\u2016-\u2017\u2020-\u2023\u2030-\u2038"
    r"\u203b\u203e-\u2042\u2044\u207a-\u207f\u208a-\u208e\u2100-\u214f\u2190-\u2bff\u3012\u30fb"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
)
"""Signs that are tokens by themselves."""


@dataclass(frozen=True)
class Rule:
    """One kind of token.

    Attributes:
        pattern: what it looks like.
        edit: its spelling.
        ahead: what has to follow; counts for the length of the match, not for the token.
    """

    pattern: str
    edit: spelling.Edit = spelling.as_is
    ahead: str = ""


RULES = [
    Rule(r"c[+][+] | (c|f)#"),
    Rule("can", ahead="not"),
    Rule("'t", ahead="was"),
    Rule("gon|wan", ahead="na"),
    Rule("got", ahead="ta"),
    Rule("lem|gim", ahead="me"),
    Rule("'t", ahead="is"),
    Rule("{tag}", spelling.one_piece),
    Rule(r"&(md|mdash|ndash); | [\u0096\u0097\u2013-\u2015]", spelling.dash),
    Rule("&amp;", spelling.ampersand),
    Rule("&(ht|tl|ur|lr|qc|ql|qr|odq|cdq|#[0-9]+);"),
    Rule("{word}", spelling.without_soft_hyphens, ahead="{clitic}"),
    Rule("{before_not}", spelling.without_soft_hyphens, ahead="{not}"),
    Rule("{word}", spelling.without_soft_hyphens),
    Rule("{elided}"),
    Rule("y{apostrophe}", ahead="{plain_letter}"),
    Rule("{web}|{site}"),
    Rule("{mail}|{handle}"),
    Rule("{clitic}|{not}", spelling.closing_quote, ahead="[^A-Za-z]"),
    Rule(r"{decimal}{1,2}[\-/]{decimal}{1,2}[\-/]{decimal}{2,4}"),
    Rule(r"[\-+]?{number}", spelling.without_soft_hyphens),
    Rule(
        r"[\u207a\u207b\u208a\u208b]?"
        r"([\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+ | [\u2080-\u2089]+)"
    ),
    Rule(
        r"({decimal}{1,4}[\- \u00a0])?{decimal}{1,4}(\\?/|\u2044){decimal}{1,4}",
        spelling.one_piece,
    ),
    Rule(r"[\u00bc-\u00be\u2153-\u215e]", spelling.fraction),
    Rule(
        r"\-(rrb|lrb|rcb|lcb|rsb|lsb)\- | c\.d\.s | pro\- | anti\- | s(&|&amp;)(p\-500|ls)"
        r" | cap{apostrophe}n | c{apostrophe}est",
        spelling.ampersand,
    ),
    Rule("{slashed}"),
    Rule(r"[A-Z]*$ | #"),
    Rule(
        r"[\u0080\u00a2-\u00a5\u060b\u0e3f\u20a0\u20a4\u20ac\uffe0\uffe1\uffe5\uffe6]",
        spelling.currency,
    ),
    Rule(r"{acronym}\.", spelling.initial, ahead="{gap}+({opener}){gap}"),
    Rule("{before_number}", ahead="{gap}?{decimal}"),
    Rule(r"(pt[eyEY]|co)\.", ahead="{space}(ltd|lim)"),
    Rule("{before_small}", ahead="{any}{any}"),
    Rule("{before_small}"),
    Rule(r"{before_capital}\."),
    Rule("{before_capital}", ahead="{space}"),
    Rule("{acronym}", ahead="{gap}"),
    Rule("{apostrophe}[0-9][0-9]", ahead="{gap}"),
    Rule("{file}", ahead="{gap}|[.?!,]"),
    Rule(r"{word}\.", spelling.without_soft_hyphens, ahead="{mid_stop}"),
    Rule("{phone}", spelling.phone),
    Rule("{double_quote}", spelling.opening_quote, ahead="[A-Za-z0-9$]"),
    Rule("{double_quote}", spelling.closing_quote),
    Rule(r"< | > | &lt; | &gt;", spelling.angle),
    Rule("{face}", spelling.parentheses, ahead="[^A-Za-z0-9]"),
    Rule("{asian_face}", spelling.parentheses),
    Rule(r"[(){}\[\]]", spelling.brackets),
    Rule(r"\-+", spelling.hyphens),
    Rule(r"\.{3,5} | (\.[ \u00a0]){2,4}\. | [\u0085\u2026]", spelling.ellipsis),
    Rule(r"@+ | #+ | _+"),
    Rule(r"\*+ | (\\\*){1,3}"),
    Rule(r"{mid_stop} | [?!]+ | [.=\u00a1\u00bf\u037e\u0589\u061f\u06d4\u0700-\u0702\u3002]"),
    Rule("/"),
    Rule(r"{numbered}\.", spelling.without_soft_hyphens, ahead="{mid_stop}"),
    Rule("{numbered}", spelling.without_soft_hyphens),
    Rule(r"{compound}\.", ahead="{mid_stop}"),
    Rule("{compound}"),
    Rule(r"{joined}\.", spelling.ampersand, ahead="{mid_stop}"),
    Rule("{joined}", spelling.ampersand),
    Rule("'", spelling.opening_quote, ahead=r"[A-Za-z][^ \t\n\r\u00a0]"),
    Rule("{clitic} | {not} | {quote}", spelling.closing_quote),
    Rule(f"<< | >> | {STANDALONE}"),
    Rule(r"\0 | {space}+ | [\u007f\u200b\u200e\u200f\ufeff] | &nbsp;", spelling.nothing),
    Rule("{break}", spelling.nothing),
    Rule(r"[^\n]", spelling.nothing),
]


class Grammar:
    """The rules, ready to be matched."""

    def __init__(self) -> None:
        notation = Notation({"plain_letter": is_letter, "decimal": is_digit, "any": lambda _: True})
        for name, pattern in PARTS.items():
            notation.define(name, pattern)
        self._rules = Automaton(notation.read(f"({rule.pattern})({rule.ahead})") for rule in RULES)
        self._contexts = {
            at: (Automaton([notation.read(rule.pattern)]), Automaton([notation.read(rule.ahead)]))
            for at, rule in enumerate(RULES)
            if rule.ahead
        }

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text, spelt as the rules say."""
        found = []
        start = 0
        while start < len(text):
            rule, end = self._rules.longest(text, start)
            if rule in self._contexts:
                token, ahead = self._contexts[rule]
                split = end - 1
                while not (ahead.matches(text[split:end]) and token.matches(text[start:split])):
                    split -= 1
                end = split
            if spelt := RULES[rule].edit(text[start:end]):
                found.append(spelt)
            start = end
        return found


@functools.cache
def grammar() -> Grammar:
    """The grammar, made when it is first asked for."""
    return Grammar()
