"""Continuous batching: one thread owns the graph; requests join and leave between any two steps."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from ..errors import AugmentationError
from .decoder import Decoder, Floats, Ids
from .generation import Generation
from .session import onnxruntime

if TYPE_CHECKING:
    from onnxruntime import RunOptions

#: Prompt tokens that are read in one go, so that others wait for no more than that.
CHUNK = 128


class _Row:
    """A generation in its row of the cache: `filled` tokens are in, `next_token` comes next once the prompt is read."""

    def __init__(self, generation: Generation, prefix: int) -> None:
        self.generation = generation
        self.filled = prefix
        self.unread = generation.prompt_ids
        self.next_token = 0

    @property
    def decoding(self) -> bool:
        return not self.unread


class Batcher:
    """Runs generations together, at most one a row of the decoder; the others wait in order.

    Its thread lives while there is work. A generation ends with its text, at its deadline, or when its caller is gone,
    and its row is then free for the next.
    """

    def __init__(self, open_decoder: Callable[[], Decoder]) -> None:
        self._open = open_decoder
        self._decoder: Decoder | None = None
        self._lock = threading.Lock()
        self._waiting: deque[Generation] = deque()
        self._thread: threading.Thread | None = None
        self._rows: dict[int, _Row] = {}
        self._reading: tuple[Generation, RunOptions] | None = None
        self._step_s = 0.0

    def submit(self, generation: Generation) -> None:
        """Queue a generation; its `text` is set when it ends."""
        with self._lock:
            self._waiting.append(generation)
            if self._thread is None:
                # Not a daemon: an interpreter that ends waits for the step under way, then for no more.
                self._thread = threading.Thread(target=self._work, name="pas-generator")
                self._thread.start()
        generation.deadline.on_cancel(lambda: self._interrupt(generation))

    def close(self) -> None:
        """End everything that waits or runs, and release the decoder; a later request opens it again."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
            rows = list(self._rows.values())
            thread = self._thread
        for generation in [*waiting, *(row.generation for row in rows)]:
            generation.fail(CancelledError())
            generation.deadline.cancel()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._decoder = None

    def _interrupt(self, generation: Generation) -> None:
        """Stop the run that reads this generation's prompt; decoding is shared and ends with the step."""
        reading = self._reading
        if reading is not None and reading[0] is generation:
            reading[1].terminate = True

    def _work(self) -> None:
        while self._admit():
            try:
                self._drop_late()
                self._read_some()
                self._decode()
            except BaseException as error:  # none of them may wait for ever
                self._fail_all(error)

    def _admit(self) -> bool:
        """Give free rows to those who wait; return False, the thread being done, where nobody is left."""
        with self._lock:
            if not self._waiting and not self._rows:
                self._thread = None
                return False
        try:
            decoder = self._decoder = self._decoder or self._open()
        except BaseException as error:  # none of them may wait for ever
            self._fail_all(error)
            return True
        with self._lock:
            free = [row for row in range(decoder.rows) if row not in self._rows]
            while self._waiting and free:
                self._rows[free.pop(0)] = _Row(self._waiting.popleft(), decoder.prefix)
        return True

    def _fail_all(self, error: BaseException) -> None:
        with self._lock:
            everyone = [*self._waiting, *(row.generation for row in self._rows.values())]
            self._waiting.clear()
            self._rows.clear()
        # What the failed run left in the buffers is overwritten by whoever comes next.
        for generation in everyone:
            generation.fail(error)

    def _drop_late(self) -> None:
        for number, row in list(self._rows.items()):
            if row.generation.text.done():
                self._free(number)
            elif row.generation.deadline.left() <= self._step_s:
                row.generation.expire()
                self._free(number)

    def _free(self, number: int) -> None:
        with self._lock:
            self._rows.pop(number, None)

    def _read_some(self) -> None:
        """Read prompts: a piece of one where others decode, else until one can."""
        unread = [number for number, row in self._rows.items() if not row.decoding]  # in the order they came
        if not unread:
            return
        number, row = unread[0], self._rows[unread[0]]
        others = len(unread) < len(self._rows)
        while row.unread and not row.generation.text.done() and row.generation.deadline.left() > 0:
            self._read_chunk(number, row)
            if others:
                return

    def _read_chunk(self, number: int, row: _Row) -> None:
        assert self._decoder is not None
        chunk, rest = row.unread[:CHUNK], row.unread[CHUNK:]
        options = onnxruntime().RunOptions()
        self._reading = (row.generation, options)
        try:
            top = self._decoder.prefill(number, chunk, row.filled, options)
        except Exception as error:  # terminated because nobody waits for it, or failed: this row's affair alone
            row.generation.fail(AugmentationError(f"The prompt could not be read: {error}"))
            self._free(number)
            return
        finally:
            self._reading = None
        row.filled, row.unread = row.filled + len(chunk), rest
        if not rest:
            self._take(number, row, top.logits[0], top.ids[0])

    def _take(self, number: int, row: _Row, logits: Floats, ids: Ids) -> None:
        if row.generation.add(logits, ids):
            row.next_token = row.generation.tokens[-1]
        else:
            self._free(number)

    def _decode(self) -> None:
        """Run one step for all rows whose prompts are read."""
        self._close_gaps()
        decoding = {number: row for number, row in self._rows.items() if row.decoding}
        if not decoding:
            return
        assert self._decoder is not None
        started = time.perf_counter()
        count = max(decoding) + 1
        rows = [self._rows.get(number) for number in range(count)]
        tokens = [row.next_token if row is not None and row.decoding else None for row in rows]
        top = self._decoder.step(tokens, [self._decoder.prefix if row is None else row.filled for row in rows])
        for number, row in decoding.items():
            row.filled += 1
            self._take(number, row, top.logits[number], top.ids[number])
        self._step_s = time.perf_counter() - started

    def _close_gaps(self) -> None:
        """Move the last decoding rows into free ones below them, where the device can."""
        assert self._decoder is not None
        while True:
            decoding = [number for number, row in self._rows.items() if row.decoding]
            gaps = [number for number in range(max(decoding, default=0)) if number not in self._rows]
            if not gaps:
                return
            last = max(decoding)
            if not self._decoder.move(last, gaps[0], self._rows[last].filled):
                return
            with self._lock:
                self._rows[gaps[0]] = self._rows.pop(last)
