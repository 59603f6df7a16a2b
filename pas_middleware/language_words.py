"""Function words by which English and the other languages written in Latin letters are told apart.

Words that English shares with others ("die", "was", "me", "on", "as", "comment") stand in no list; the WEAK
ones say less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: English function words, and words of requests.
ENGLISH = frozenset(
    "the of and is are what how why who which where when does did doesn't didn't isn't aren't don't can't "
    "won't have has had "
    "would should could pls plz my your their his her this that these those there they it's i'm i've "
    "what's let's whats dont with "
    "without from about into between because than then if not but for to it its you we please write make "
    "give explain help "
    "need want find tell show using each every other more most many much any some been being were words whose whether "
    "english french german spanish italian portuguese chinese japanese korean russian arabic dutch vietnamese".split()
)
#: English words that make a clause a request, where it stands beside material in another language.
ENGLISH_REQUEST = frozenset(
    "what how why who which translate explain describe summarize summarise rewrite write fix correct check help "
    "please pls plz does mean means meaning put make give tell list sort find extract "
    "english difference need create compare convert turn identify classify provide say".split()
)
#: How a clause begins that asks in English; "which" and "who" open clauses of any text, so only its start counts.
ENGLISH_OPENING = re.compile(
    r"\W{0,4}(?:(?:hi|hello|hey|ok|okay|so|and|but|now|please|pls|plz|just|also|then|quickly|kindly)\W{1,3}){0,3}"
    r"(?:(?:can|could|would|will) (?:you|i|someone|anyone)|i (?:need|want|would like|got|don'?t understand)|i'd like|"
    r"is (?:this|it|that|there|my)|are (?:these|there|they)|does (?:this|it|that|my)|do (?:these|you)|what|"
    r"whats|what's|how|why|translate|explain|describe|summari[sz]e|rewrite|write|fix|correct|check|help|put|make|give|tell|list|"
    r"sort|find|extract|need|create|compare|convert|turn|identify|classify|provide|say|break|answer|reply|respond|guess|show|"
    r"analy[sz]e|paraphrase|proofread|shorten|simplify|edit|improve|act|count|read|use|generate|add)\b|"
    r"\A\W{0,4}(?:which|who)\b|\W{0,4}(?:pls|plz|please)\b",
    re.I,
)
#: Words that open a request even where nothing English follows.
ENGLISH_TASK = re.compile(
    r"\W{0,9}(?:please |pls )?(?:translate|summari[sz]e|explain|rewrite|proofread|correct)(?:\s|\Z)", re.I
)
#: Chinese that asks for something: at the start of a clause, or anywhere in it.
CHINESE_REQUEST = re.compile(
    r"(?:^|[，,。；\s])(?:把|将|根据|按照?|使用|用[中英一大]|给|写|列|选|挑|找|拟|填|算|添加|分析|比较|对比|"
    "描述|列举|举例|分类|判断|识别|介绍|优化|修改|检查|"
    "提取|生成|回答|补全|注释|[续缩扩仿]写|排序|创作|编写|设计|推荐|谈谈|讲讲|说说|看[看下]|"
    "实现|转[换成]|对[下以上这])|翻译|译[成为下]|[中英]译|解释|总结|概括|改[写成]|润色|帮[我忙]|请(?!求)|麻烦|求[助解]|"
    "[怎咋][么样整办]|咋|如何|什么|啥|为何|哪|吗|多少|能否|可否|有没有|几[处个点]|[？?]|怎么办|呢$"
)
#: Chinese that speaks to somebody, as no quoted article does.
CHINESE_ADDRESS = re.compile(
    "请|帮|麻烦|翻译|译[成为下]|总结|润色|改写|解释|[我你您]|[吗呢？?]|^(?:把|将|根据|写|给|列|对)|下[面列]|以下"
)
#: What of it asks about text that stands beside it.
CHINESE_ABOUT_MATERIAL = re.compile(
    "翻译|译[成为下]|[中英]译|意思|解释|总结|概括|改[写成一正错]|润色|语法|[这上]一?[句段篇个面道]|[中英]文|怎么[回读念说办]|"
    "注释|读后感|[续缩扩仿]写|看不懂|缩短|检查|优化|报错|文中|[下里]面|以下|材料|代码|结果|错误|^\\W{0,9}(?:请|帮|麻烦|给我|根据|提取|求)"
)
#: What asks about a term of another language that it follows ("give up 是什么意思").
CHINESE_ABOUT_TERM = re.compile(
    "意思|区别|用法|怎么[回读念说用翻样]|语法|属于|哪[个些种]|是什么|是啥|[有用]什么|多少|作用|如何|正确|礼貌|对吗|翻译成"
)
ENGLISH_WEAK = frozenset(
    "can am at by be get use best new like all up out off vs difference meaning means ideas tips recipe "
    "names create describe "
    "summarize summarise translate rewrite correct check fix suggest compare recommend generate calculate "
    "solve classify extract identify "
    "story email essay sentence code work working keep keeps still after before during while one two three first "
    "last next now today day week year time people way things under over against down back very really "
    "just too im substitute "
    "pros cons summary benefits effects rates good morning thanks hi hello list review joke poem letter".split()
)
FOREIGN = frozenset(
    # French
    "les et est c'est pas pour avec dans qui quoi pourquoi quel quelle quels quelles mes tes ses je elle nous vous ils "
    "cette ces moi bien faire fais peut peux dois veux suis être etre très tres où sans salut bonjour "
    "merci écris ecris donne "
    "traduis quand selon ça aux sont leur cet une du raconte explique quelles qu'est moins leurs été y'a "
    # German
    "der das und ist nicht ich wir ihr ein eine einen einem einer für fuer von zu zum zur auf aus bei "
    "nach wie wer wo wann "
    "warum kann kannst muss soll wenn dass oder aber auch noch mein meine meinen meiner meinem mir mich "
    "dir dich sich dem "
    "bitte schreib schreibe gib welche welcher welches gibt haben sind wird werden über ueber nur sehr "
    "kein keine vom beim "
    "unterschied hab erklär erkläre einfach zwischen zwei drei "
    # Spanish
    "el los las unos cómo cual cuál qué quien quién donde dónde cuando cuándo está esta este eso esa del "
    "pero muy más tengo "
    "quiero puedo puede hacer hago haz dime necesito escribe hola gracias ser estar fue por como hasta "
    "desde todo todos "
    "porque años que sobre resuelve cuanto cuánto cuántas ejemplo "
    # Portuguese
    "uma com sem qual quem quando das nas pelo pela meu minha seu sua você vc não nao mais muito fazer "
    "faço faz preciso olá "
    "oi obrigado isso isto esse essa são pra ao em são qual raiz diferença entre "
    # Italian
    "il gli dal della dello degli delle dei nel nella sul sulla che cosa perché perche sono hai mio mia "
    "tuo più piu molto "
    "scrivi voglio vorrei posso puoi questo questa ciao grazie quale quali uno alla allo alle dell'ultimo "
    "spiegami risolvi "
    "come? quanto fra "
    # Vietnamese as it is typed without its marks
    "khong khac toi cua nhu duoc nhung cach mot voi dau nao phai nen cho lam "
    # Dutch, Indonesian, Polish, Scandinavian, Turkish
    "het een ik niet wat hoe waarom voor naar dit mijn zijn yang dan untuk dengan apa bagaimana saya ini "
    "itu adalah tidak "
    "jest nie czy się och att det som för inte hur vad ett jag og jeg ikke hvordan bir için nasıl".split()
)
FOREIGN_WEAK = frozenset(
    "le la des un de di da do dos em en es el si se lo tu te su mi ti ci una per con sin para sur son mon "
    "ton ma sa il mit "
    "ne mal hay ha ho fai fare tra sei via os um ce au ou gi sao thi va ban minh van met dat je co và là của".split()
)

_WORD = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+(?:['\u2019][A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)*")
#: Accents as English words rarely bear them, and elisions ("l'eau", "dell'anno").
_FOREIGN_FORM = re.compile(
    "[\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff]|^(?:[ldjqnsmtc]|qu|dell|all|un|nell|sull|cos|com|dov)'[a-z\u00e0-\u024f]{2}"
)


@dataclass(frozen=True, slots=True)
class Scores:
    """How much speaks for English and for another language in Latin letters, and whether an English word asks."""

    english: int
    foreign: int
    words: int
    request: bool

    def is_english(self) -> bool:
        """Tell whether English clearly prevails."""
        return self.english >= 2 and self.english >= self.foreign + 2

    def asks_in_english(self) -> bool:
        """Tell whether this is a request in English."""
        return self.request and self.is_english()

    def is_foreign(self) -> bool:
        """Tell whether another language clearly prevails."""
        return self.foreign >= 2 and self.foreign >= self.english + 2


def scores_of(text: str) -> Scores:
    """Count the words of a text that speak for English and for another language."""
    # Words in capitals are mostly names: MIT, OS, DOS.
    found = [w.replace("\u2019", "'") for w in _WORD.findall(text) if not (w.isupper() and len(w) > 1)]
    lower = [w.lower() for w in found]
    # A capital within the text opens a name or a German noun: "Les Misérables" makes no question French.
    plain = [w.lower() for number, w in enumerate(found) if not number or w[0].islower()]
    return Scores(
        sum(2 * (w in ENGLISH) + (w in ENGLISH_WEAK) for w in lower),
        sum(2 * (w in FOREIGN or _FOREIGN_FORM.search(w) is not None) + (w in FOREIGN_WEAK) for w in plain),
        len(found),
        any(w in ENGLISH_REQUEST for w in lower),
    )
