"""Function words by which English and the other languages written in Latin letters are told apart.

Words that English shares with others ("die", "was", "me", "on", "as", "comment") stand in no list; the WEAK ones say less.
"""

from __future__ import annotations

#: English function words, and words of requests.
ENGLISH = frozenset(
    "the of and is are what how why who which where when does did doesn't didn't isn't aren't don't can't won't have has had "
    "would should could my your their his her this that these those there they it's i'm i've what's let's whats dont with "
    "without from about into between because than then if not but for to it its you we please write make give explain help "
    "need want find tell show using each every other more most many much any some been being were words whose whether "
    "english french german spanish italian portuguese chinese japanese korean russian arabic dutch vietnamese".split()
)
#: English words that make a clause a request, where it stands beside material in another language.
ENGLISH_REQUEST = frozenset(
    "what how why who which translate explain describe summarize summarise rewrite write fix correct check help "
    "please pls plz does mean means meaning put make give tell list sort find extract "
    "english difference need create compare convert turn identify classify provide say".split()
)
ENGLISH_WEAK = frozenset(
    "can am at by be get use best new like all up out off vs difference meaning means ideas tips recipe names create describe "
    "summarize summarise translate rewrite correct check fix suggest compare recommend generate calculate solve classify extract identify "
    "story email essay sentence code work working keep keeps still after before during while one two three first "
    "last next now today day week year time people way things under over against down back very really just too im substitute "
    "pros cons summary benefits effects rates good morning thanks hi hello list review joke poem letter".split()
)
FOREIGN = frozenset(
    # French
    "les et est c'est pas pour avec dans qui quoi pourquoi quel quelle quels quelles mes tes ses je elle nous vous ils "
    "cette ces moi bien faire fais peut peux dois veux suis être etre très tres où sans salut bonjour merci écris ecris donne "
    "traduis quand selon ça aux sont leur cet une du raconte explique quelles qu'est moins leurs été y'a "
    # German
    "der das und ist nicht ich wir ihr ein eine einen einem einer für fuer von zu zum zur auf aus bei nach wie wer wo wann "
    "warum kann kannst muss soll wenn dass oder aber auch noch mein meine meinen meiner meinem mir mich dir dich sich dem "
    "bitte schreib schreibe gib welche welcher welches gibt haben sind wird werden über ueber nur sehr kein keine vom beim "
    "unterschied hab erklär erkläre einfach zwischen zwei drei "
    # Spanish
    "el los las unos cómo cual cuál qué quien quién donde dónde cuando cuándo está esta este eso esa del pero muy más tengo "
    "quiero puedo puede hacer hago haz dime necesito escribe hola gracias ser estar fue por como hasta desde todo todos "
    "porque años que sobre resuelve cuanto cuánto cuántas ejemplo "
    # Portuguese
    "uma com sem qual quem quando das nas pelo pela meu minha seu sua você vc não nao mais muito fazer faço faz preciso olá "
    "oi obrigado isso isto esse essa são pra ao em são qual raiz diferença entre "
    # Italian
    "il gli dal della dello degli delle dei nel nella sul sulla che cosa perché perche sono hai mio mia tuo più piu molto "
    "scrivi voglio vorrei posso puoi questo questa ciao grazie quale quali uno alla allo alle dell'ultimo spiegami risolvi "
    "come? quanto fra "
    # Vietnamese as it is typed without its marks
    "khong khac toi cua nhu duoc nhung cach mot voi dau nao phai nen cho lam "
    # Dutch, Indonesian, Polish, Scandinavian, Turkish
    "het een ik niet wat hoe waarom voor naar dit mijn zijn yang dan untuk dengan apa bagaimana saya ini itu adalah tidak "
    "jest nie czy się och att det som för inte hur vad ett jag og jeg ikke hvordan bir için nasıl".split()
)
FOREIGN_WEAK = frozenset(
    "le la des un de di da do dos em en es el si se lo tu te su mi ti ci una per con sin para sur son mon ton ma sa il mit "
    "ne mal hay ha ho fai fare tra sei via os um ce au ou gi sao thi va ban minh van met dat je co và là của".split()
)
