"""The closed vocabulary of follow-ups, in English and Chinese.

STEERS, and PATTERNS (one phrase of each of their groups, in order), steer an earlier answer; FILLERS may stand beside
them. Words that make a question of its own (what, how, is, I, 什么, 怎么, 我 ...) occur only inside longer phrases.
"""

from __future__ import annotations


def _split(*lines: str) -> tuple[str, ...]:
    """Split at commas where there are any, else at spaces."""
    return tuple(part.strip() for line in lines for part in line.split("," if "," in line else None) if part.strip())


# English

_THAT = _split("it that this them those these")
_ORDINALS = _split("first second third fourth fifth last other others previous rest next whole")
_PARTS = _split(
    "one ones point points part parts step steps line lines sentence sentences paragraph paragraphs option options",
    "version versions idea ideas example half section item bit thing things answer reply question questions",
)
_NUMBERS = _split("0 one two three four five six seven eight nine ten")  # 0 stands for any digits
_LANGUAGES = _split(
    "english french german spanish chinese italian japanese korean portuguese russian arabic dutch polish turkish",
    "hindi mandarin cantonese vietnamese thai swedish greek latin",
    "british english, american english, plain english, simple english, british spelling, american spelling",
)
_CODE_LANGUAGES = _split("python javascript typescript java rust go c c++ c# sql pandas react bash")
_FORMATS = _split(
    "json yaml csv xml html markdown latex prose bullets caps uppercase lowercase celsius fahrenheit euros dollars",
    "metric numbers half detail depth full short steps rhyme verse paragraphs emojis",
    "bullet points, a table, a list, table form, one sentence, one line, one paragraph, two sentences, two lines",
    "three sentences, a sentence, a paragraph, simple terms, simple words, simpler words, simpler terms, plain words",
    "layman's terms, more detail, first person, the first person, third person, past tense, present tense",
    "your own words",
)
_LEVELS = _split(
    "short long simple brief funny clear formal informal casual polite detailed concise friendly warm cold soft",
    "strong serious easy bad fast slow nice dark light harsh dramatic professional complicated complex technical",
    "generic wordy vague stiff boring dry positive negative creative specific precise natural personal direct",
    "sarcastic poetic kind sharp sad happy deep plain punchy snappy tight catchy human robotic cheesy aggressive",
    "gentle elegant modern academic persuasive emotional realistic exciting interesting readable thorough confident",
    "neutral original much many",
)
_STEERS = _split(
    "shorter longer simpler briefer funnier clearer politer friendlier warmer colder softer stronger easier better",
    "worse faster slower nicer darker lighter harsher crisper kinder sharper sadder happier deeper plainer punchier",
    "snappier tighter catchier gentler smoother wordier bigger smaller fewer differently more less another again",
    "next then why shorten expand elaborate simplify rephrase reword rewrite redo retry resume regenerate clarify",
    "undo revert translate summarize summarise fix polish proofread reformat trim cut remove delete drop add change",
    "swap replace explain repeat improve condense tweak adjust restructure extend lengthen tighten paraphrase finish",
    "continue proceed examples",
    "go on, carry on, keep going, keep writing, keep it coming, go ahead, once more, one more time, what else",
    "say more, anything else, and then, then what, why not, why is, why was, why are, why did, why do, why does",
    "why so, how so, how come, how exactly, how do you mean, are you sure, you sure, what do you mean",
    "what do you mean by that, as well, what does it mean, what does that mean, what does this mean, is that true",
    "is that right, is that so, is that all, is that correct, is this correct, such as, like what, for example",
    "for instance, an example, this time, different one, different way, new one, alternative, alternatives",
    "not what i asked, not what i meant, not what i wanted, that's wrong, that is wrong, this is wrong",
    "that's not right, that's not it, that's not what i asked, that's not what i meant, that's incorrect, you forgot",
    "you missed, i don't get it, i didn't get it, i don't get that, i don't understand, i still don't get it",
    "i still don't understand, i don't follow, i want it, i like the, from the start, than before",
    "from the beginning, from where you stopped, where you left off, where you stopped, you got cut off, you stopped",
    "what happens next, what's next, what is next, after that, than that, not enough, half as long, half the length",
    "half of that, twice as long, the same, same thing, same again, do it, can i get, could i get, can i have",
    "by half, could i have, can i see, try it, dig deeper, go deeper, say it, say that, what was, still wrong",
    "doesn't work, in half, didn't work, still not working, not working, you already said that, the intro",
    "the ending, the conclusion, like that, the introduction, tell me more, like this, i meant, not quite",
    "british spelling, american spelling",
)
_FILLERS = _split(
    "a an the and or but so also just now please pls plz ok okay yes yeah yep no nope nah thanks thx great cool nice",
    "hmm perfect well hey oh sorry wait alright right still maybe can could would will you your me us its to for of",
    "in on at with without from by as than if not like bit little lot much far way even very really slightly",
    "somewhat tad only do be give write show tell say get have try keep use make put turn let lets send take sound",
    "sounds look read feel need start end tone wording title headline intro introduction ending conclusion beginning",
    "response draft time word words emoji emojis number pick choose go up down out actually instead though sort",
    "enough all any some both here there about new different generating writing don't let's it's that's same detail",
    "details context",
)

# Chinese

_SHORT_LEVELS_ZH = _split("短 长 细 多 少 大 小 高 低 快 慢 好 深 浅 软 硬 淡 浓 直 雅 俗 美")
_LONG_LEVELS_ZH = _split(
    "详细 简单 简洁 简短 简练 精简 精炼 正式 口语 口语化 幽默 搞笑 好笑 具体 通俗 委婉 礼貌 自然 温柔 生动 专业 活泼",
    "押韵 客气 有趣 直接 深入 轻松 好懂 易懂 强硬 诚恳 细致 清楚 明白 文艺 接地气 严肃 高级 全面 完整 温和 亲切 真诚",
    "俏皮 书面 书面化 地道 学术 热情 犀利 含蓄 直白 精彩 随意 官方 啰嗦 生硬 笼统 复杂 肉麻 平淡 抽象 老套 敷衍 空洞",
    "模糊 形象 流畅 准确 严谨 夸张 可爱",
)
_LEVELS_ZH = (*_SHORT_LEVELS_ZH, *_LONG_LEVELS_ZH)
_FORMS_ZH = _split(
    "英文 英语 中文 汉语 日语 日文 韩语 韩文 法语 法文 德语 德文 俄语 西班牙语 葡萄牙语 意大利语 阿拉伯语 泰语",
    "越南语 粤语 白话 白话文 文言文 古文 繁体 简体 大白话 书面语 口语 python java javascript js c c++ go rust sql",
    "json markdown excel html latex 表格 列表 图表 要点 大纲 一句话 两句话 三句话 一段话 一段 一句 散文 对话 问答 诗",
    "公式 代码 第一人称 第二人称 第三人称",
)
_STEERS_ZH = _split(
    "继续 接着 往下 往后 还有 还有吗 还有呢 其他的 然后呢 后来呢 接下来 接下来呢 后面呢 后面的呢 之后呢 为什么 为啥",
    "为何 怎么会 怎么会这样 何以见得 真的吗 真的假的 确定吗 你确定 什么意思 啥意思 怎么理解 比如 例如 譬如 举个例子",
    "举几个例子 举一个例子 举例 举例子 说人话 讲人话 没看懂 看不懂 没懂 没听懂 没明白 不明白 不太明白 不理解 听不懂",
    "不是这个意思 不是这样 不是这个 这个不行 不对 不太对 不够 答非所问 漏了 上面 上一个 上一条 上一版 上一段 刚才",
    "刚刚 前面 之前的 原来的 最后一句 最后一段 最后一个 最后一点 开头 结尾 标题 一样的 同样的 同样 再来 另一个",
    "另外一个 所以呢 就这些 就这 没写完 没说完 你断了 卡住了 出处呢 来源呢 依据呢 具体呢 这样不行 你搞错了 你错了",
    "字数 完整版 简版 短版 长版 一半 给个例子 改一下 不太满意 是什么意思 简单说 不要表情 不要用表情 别的 重写 改写",
    "缩写 扩写 扩展 扩充 润色 精简 压缩 缩短 缩减 展开 细化 简化 翻译 总结 解释 概括 修改 优化 补充 纠正 检查 撤销",
    "恢复 删掉 删除 去掉 替换 重新 重来 重做 重答 修正 调整 改改 加长 延长 分点 分段 换",
)
_FILLERS_ZH = _split(
    "请 麻烦 帮 帮我 给 给我 我要 我想要 我觉得 我说的是 感觉 你 您 那 那么 这 这个 那个 这里 它 把 将 对 用 让 就",
    "也 都 要 会 能 能不能 能否 可以 可不可以 可否 是不是 了 吗 吧 呢 啊 呀 嘛 哦 噢 嗯 哈 啦 好 好的 好吗 行 行吗",
    "行不行 谢谢 谢谢你 不错 呃 哎 咦 的 地 得 些 一些 一点 点 一 个 两个 三个 四个 五个 六个 八个 十个 几个 一下",
    "一遍 一次 遍 次 下 句 段 条 篇 首 份 版 种 一版 一种 说 讲 写 做 来 出 列 改 试 看 看看 试试 答 翻 回答 回复",
    "生成 输出 弄 加 加上 减 删 去 说说 讲讲 说明 例子 例 说法 方式 角度 思路 风格 方案 版本 内容 部分 意思 不同",
    "其他 新 新的 即可 就行 就好 但 但是 不过 还 还要 不要 别 整体 全部 所有 语气 格式 刚 里 稍微 稍 比较 到 下去 起",
    "出来 成 为 变 另外 顺便 例句 数据 理由 步骤 细节 表情 还是 按 按照 这样 那样 名字 题目 结构 太 有点 更 再 第",
)
_COUNTS_ZH = _split("一 二 三 四 五 六 七 八 九 十 0 几 两")
_UNITS_ZH = _split("个 点 条 段 句 步 版 题 种 首 章 部分 项 篇 页")

STEERS = (*_STEERS, *_STEERS_ZH)
FILLERS = (
    *_FILLERS, *_PARTS, *_NUMBERS, *_THAT, *(f"and {level}" for level in _LEVELS), *_FILLERS_ZH, *_LONG_LEVELS_ZH
)  # fmt: skip
PATTERNS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (_split("make keep put turn write say have"), _THAT),
    (_split("make keep put say"), _THAT, _LEVELS),
    (_split("make put turn"), _THAT, _FORMATS),
    (("what's", "what is", "what was"), ("the",), _ORDINALS, _PARTS),
    (_split("too not so more less very bit sound sounds be"), _LEVELS),
    (("the",), _ORDINALS),
    (_split("the your that"), _ORDINALS, _PARTS),
    (_split("point part step number option question chapter version paragraph"), _NUMBERS),
    (_NUMBERS, _split("more others")),
    (_split("in into to"), _LANGUAGES),
    (_LANGUAGES, _split("please pls version now")),
    (_split("in into using"), _CODE_LANGUAGES),
    (_split("in into as to with without using use"), _FORMATS),
    (_split("太 有点 更 再 不够 过于"), _LEVELS_ZH),
    (_LEVELS_ZH, _split("一点 点 些 一些 一点儿 点儿 版")),
    (_split("用 成 换 转 以"), _FORMS_ZH),
    (("再",), _split("说 讲 写 做 来 给 给我 列 改 试 想 出 举 试试 看看 想想 加")),
    (("第",), _COUNTS_ZH, _UNITS_ZH),
    (_split("上 下"), ("一",), _UNITS_ZH),
)

#: Bare questions and reactions, with nothing beside them but politeness.
ALONE = _split(
    "how what when where who which really sure huh meaning source sources proof example details seriously wrong",
    "incorrect same instead and 怎么说 怎么讲 确定 然后",
    "which one, which ones, in what way, since when, says who, so what, not quite",
)
POLITE = frozenset(
    _split(
        "ok okay thanks thx please pls plz yes yeah yep no nope hmm well so and but oh sorry wait hey now",
        "好 的 嗯 呢 吗 啊",
    )
)
#: Another case of what was asked before follows, in a few words.
SWITCHES = _split(
    "what about, how about, same for, the same for, and for, now for, and in, and with, make it more, make it less",
    "make it sound, make it sound more, make it sound less, make this more, make that more",
)
#: A question word makes a sentence in 呢 a question of its own; "再X一点" and "更X些" ask for more of X.
ASKING_ZH = frozenset("什么怎谁哪几为啥何")
FURTHER_ZH = frozenset("再更")
SOMEWHAT_ZH = frozenset("点些")
