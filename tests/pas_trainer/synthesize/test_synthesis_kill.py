"""kill -9 at twenty random points: the same set, and nothing that was kept is paid for again."""

import multiprocessing
import random
import sqlite3

from synthesis import QUIET, plan, read

from pas_trainer.llm import Store
from pas_trainer.synthesize import synthesize
from pas_trainer.synthesize.run import answers_file
from pas_trainer.testing import serve
from pas_trainer.testing.golden import golden

KILLS = 20


class Killer:
    """A teacher that ends its pupil, by SIGKILL, after so many more calls."""

    def __init__(self):
        self.victim, self.left = None, 0

    def __call__(self, body):
        self.left -= 1
        if self.victim is not None and self.left == 0:
            self.victim.kill()
        return golden(body)


def kept(file):
    """Return what is in a store that its process left behind, as a dead process leaves it."""
    with sqlite3.connect(file) as db:
        found = {config for (config,) in db.execute("SELECT config FROM answers")}
    db.close()
    return found


def test_kill_9_at_twenty_random_points(tmp_path, more_prompts):
    rng, killer = random.Random(7), Killer()
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["pas_trainer.synthesize", "openai.resources.chat", "pytest"])
    with serve(golden) as server:
        synthesize(plan(server.url), more_prompts, tmp_path / "whole", QUIET)
        undisturbed = len(server.calls)
    out, stored, killed = tmp_path / "killed", [], 0
    with serve(killer) as server:
        made = plan(server.url)
        digests = {"0.7": made.generator.digest, "0.0": made.critic.digest}
        while killed < KILLS:
            process = processes.Process(target=synthesize, args=(made, more_prompts, out, QUIET))
            killer.left, killer.victim = rng.randint(1, 5), process
            process.start()
            process.join()
            assert process.exitcode == -9, "it ended before it was killed: fewer calls a life"
            killed += 1
            stored.append((len(server.calls), kept(answers_file(out)) if answers_file(out).exists() else set()))
        killer.victim = None
        synthesize(made, more_prompts, out, QUIET)
        asked = [digests[str(call.body["temperature"])](call.body["messages"]) for call in server.calls]
    for calls, configs in stored:
        assert configs.isdisjoint(asked[calls:])
    with Store(answers_file(out)) as store:
        totals = store.totals()
    assert totals.calls == len(set(asked)) == undisturbed
    assert len(asked) - len(set(asked)) <= totals.lost  # asked again only where the answer was in the air
    for name in ("pairs.jsonl", "rejected.jsonl"):
        assert read(out / name) == read(tmp_path / "whole" / name)
