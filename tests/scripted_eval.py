"""A scripted target and judge, and small files in upstream's layouts, all our own."""

import json

PROMPTS = [
    "How many birds are left on the fence after one is shot?",
    "Write a haiku about rain.",
    "Explain TCP slow start to a beginner.",
    "Plan a weekend in Lisbon with two small children.",
    "Summarise the plot of a heist film in three sentences.",
    "Which is heavier, a kilogram of iron or of feathers?\u2028Answer in one word.",
]
CATEGORIES = ["reasoning", "writing"]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def questions(count=6):
    return [
        {"uid": f"q{i}", "category": "arena-hard-v0.1", "cluster": CATEGORIES[i % 2], "prompt": PROMPTS[i]}
        for i in range(count)
    ]


def answering(body):
    """Answer "plain" to a bare prompt, "better …" where something stands behind it; a judge prefers "better"."""
    system, user = body["messages"][0], body["messages"][-1]["content"]
    if system["role"] == "system":
        text = body["messages"][1]["content"]
        a, b = text.split("Answer A" if "# Answer A" in text else "Answer of m\n")[1].split("# Answer ")[:2]
        first, second = "better" in a, "better" in b
        if "m or M" in system["content"]:
            return "M" if second and not first else "m"
        return "so: [[A=B]]" if first == second else "so: [[A>B]]" if first else "so: [[B>>A]]"
    if user.startswith("Rewrite the prompt"):
        return f"{user.split('# Prompt')[1].strip()} Please."
    return "plain answer" if user in PROMPTS else "a better and somewhat longer answer"


def config(tmp_path, url, **changes):
    """Return a configuration of both public benchmarks in small, and the prompts of one's own."""
    jsonl(tmp_path / "question.jsonl", questions())
    jsonl(tmp_path / "gpt-4-0314.jsonl", [{"id": f"q{i}", "answer": "plain, of the baseline"} for i in range(6)])
    baseline = [{"instruction": p, "output": "plain, of the baseline", "dataset": "d"} for p in PROMPTS]
    (tmp_path / "gpt4_1106_preview.json").write_text(json.dumps(baseline))
    jsonl(tmp_path / "own.jsonl", [{"prompt": p, "category": CATEGORIES[i % 2]} for i, p in enumerate(PROMPTS)])
    server = {"base_url": url, "model": "scripted", "usd_per_million_input": 1.0, "usd_per_million_output": 2.0}
    return {
        "name": "small",
        "targets": {"one": server},
        "judge": server,
        "decoding": {"temperature": 0.0, "max_tokens": 64},
        "arms": {"suffix": {"kind": "suffix"}, "pas-mini": {"kind": "pas"}},
        "benchmarks": {
            "arena": {"kind": "arena_hard", "questions": "question.jsonl", "baseline": "gpt-4-0314.jsonl"},
            "alpaca": {"kind": "alpaca_eval", "baseline": "gpt4_1106_preview.json"},
            "own": {"kind": "own", "questions": "own.jsonl"},
        },
    } | changes
