"""PASRunnable: a LangChain runnable that gives back what it gets, with a complement behind the user's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from langchain_core.callbacks import (
    AsyncCallbackManagerForChainRun,
    CallbackManagerForChainRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.messages import BaseMessage, MessageLikeRepresentation
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import ConfigDict, Field, model_validator

from pas_middleware import PAS, Augmentation, ConfigError, InputError, Settings

from .engine import EngineSpec, aask, aengine, ask, chunks, engine
from .inputs import Slot, find

#: Name of the custom event that tells of every decision.
EVENT = "pas_complement"

PASInput = str | PromptValue | BaseMessage | Sequence[MessageLikeRepresentation] | dict[str, Any]


class PASRunnable(RunnableSerializable[PASInput, Any]):
    """Put a complement behind the user's text: `chain = PASRunnable() | llm`.

    Takes a text, a prompt value, a message, messages, or a dict holding one of these under `input_key`, and returns the
    same shape; the same object where nothing is added. With `output="complement"` it returns only the complement, ""
    where there is none. The model is loaded on first use and shared by all that name the same model, device and
    settings; a ready PAS can be given as `pas` instead, which stays in its process: no pickling, no dumping.
    Raises InputError for other inputs and for keyword arguments, and with `Settings(on_error="raise")` an
    AugmentationError.
    """

    model: str | None = None
    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    settings: Settings | None = None
    input_key: str | None = None
    output: Literal["augmented", "complement"] = "augmented"
    pas: PAS | None = Field(default=None, exclude=True)

    # LangChain's default ignores a misspelt field.
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="after")
    def _one_engine(self) -> PASRunnable:
        if self.pas is not None and (self.model, self.device, self.settings) != (None, "auto", None):
            raise ConfigError("pas comes with its own model, device and settings;", hint="give pas or those, not both.")
        return self

    # 1) The four ways to be called. Streams go through `invoke`: nothing can be said before the whole prompt is there.

    def invoke(self, input: PASInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return the input with its user text augmented."""
        _refuse(kwargs)
        return self._call_with_config(self._run, input, config)

    async def ainvoke(self, input: PASInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return the input with its user text augmented, without blocking the event loop."""
        _refuse(kwargs)
        return await self._acall_with_config(self._arun, input, config)

    def batch(
        self,
        inputs: list[PASInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Return the inputs augmented by one call of the engine, or by one for every `max_concurrency` of them."""
        _refuse(kwargs)
        return self._batch_with_config(
            partial(self._run_batch, apart=return_exceptions), inputs, config, return_exceptions=return_exceptions
        )

    async def abatch(
        self,
        inputs: list[PASInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Return the inputs augmented as `batch` does, without blocking the event loop."""
        _refuse(kwargs)
        return await self._abatch_with_config(
            partial(self._arun_batch, apart=return_exceptions), inputs, config, return_exceptions=return_exceptions
        )

    # 2) Find, ask, tell, put. The asynchronous twins differ in nothing but who waits.

    def _run(self, value: PASInput, run_manager: CallbackManagerForChainRun) -> Any:
        return _only(self._run_batch([value], [{"callbacks": run_manager.get_child()}]))

    async def _arun(self, value: PASInput, run_manager: AsyncCallbackManagerForChainRun) -> Any:
        return _only(await self._arun_batch([value], [{"callbacks": run_manager.get_child()}]))

    def _run_batch(self, values: list[PASInput], config: list[RunnableConfig], apart: bool = False) -> list[Any]:
        slots = [self._find(value) for value in values]
        texts, asked = _texts(slots), []
        if texts:
            pas = self.pas or engine(self._spec)
            for chunk in chunks(texts, config[0].get("max_concurrency")):
                asked.extend(ask(pas, chunk, apart))
        results = _merged(slots, asked)
        for result, one in zip(results, config, strict=True):
            if isinstance(result, Augmentation):
                dispatch_custom_event(EVENT, _event(result), config=one)
        return [self._output(*item) for item in zip(values, slots, results, strict=True)]

    async def _arun_batch(self, values: list[PASInput], config: list[RunnableConfig], apart: bool = False) -> list[Any]:
        slots = [self._find(value) for value in values]
        texts, asked = _texts(slots), []
        if texts:
            pas = self.pas or await aengine(self._spec)
            for chunk in chunks(texts, config[0].get("max_concurrency")):
                asked.extend(await aask(pas, chunk, apart))
        results = _merged(slots, asked)
        for result, one in zip(results, config, strict=True):
            if isinstance(result, Augmentation):
                await adispatch_custom_event(EVENT, _event(result), config=one)
        return [self._output(*item) for item in zip(values, slots, results, strict=True)]

    @property
    def _spec(self) -> EngineSpec:
        return EngineSpec(self.model, self.device, self.settings or Settings())

    def _find(self, value: PASInput) -> Slot | Exception:
        try:
            return find(value, self.input_key)
        except Exception as error:  # LangChain's own refusals of a message share no base class
            return error

    def _output(self, value: PASInput, slot: Slot | Exception, result: Augmentation | Exception) -> Any:
        if isinstance(result, Exception) or isinstance(slot, Exception):
            return result
        if self.output == "complement":
            return result.complement
        return slot.put(result) if result.applied else value

    # 3) Copies, pickles and dumps carry the spec, never an engine.

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Tell LangChain that `dumps` and `loads` can carry this class."""
        return True

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Return the settings in a form that JSON knows."""
        return {} if self.settings is None else {"settings": asdict(self.settings)}

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Return the spec for `dumps`; one that holds a ready PAS has none."""
        return super().to_json() if self.pas is None else self.to_json_not_implemented()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> PASRunnable:
        return self.model_copy()  # every field is immutable or, as a PAS is, to be shared

    def __getstate__(self) -> dict[Any, Any]:
        if self.pas is not None:
            raise ConfigError(
                "A PASRunnable with a ready PAS cannot be pickled;",
                hint="make it from model=, device= and settings=.",
            )
        return super().__getstate__()


def _refuse(kwargs: dict[str, Any]) -> None:
    # A sequence hands its keyword arguments to its first step alone: swallowed here, the model would never see them.
    if kwargs:
        names = ", ".join(kwargs)
        raise InputError(
            f"PASRunnable takes no keyword argument, got {names};",
            hint=f"bind on the model instead: `pas | llm.bind({next(iter(kwargs))}=...)`.",
        )


def _only(outputs: list[Any]) -> Any:
    (output,) = outputs
    if isinstance(output, Exception):
        raise output
    return output


def _texts(slots: list[Slot | Exception]) -> list[str]:
    return [slot.text for slot in slots if isinstance(slot, Slot) and slot.decided is None]


def _merged(
    slots: Sequence[Slot | Exception], asked: Sequence[Augmentation | Exception]
) -> list[Augmentation | Exception]:
    """Return one result a slot: what the engine was asked for, what needed no asking, or the error."""
    answers = iter(asked)
    return [slot if isinstance(slot, Exception) else slot.decided or next(answers) for slot in slots]


def _event(result: Augmentation) -> dict[str, Any]:
    return {
        "complement": result.complement,
        "status": result.status,
        "reason": result.reason,
        "elapsed_ms": result.elapsed_ms,
        "model": result.model,
    }
