"""Work that may crash, hang or fill the memory: on strangers' files, or for hours.

Each item is worked on in a process whose end is the end of nothing else. (In joblib's pool, and in
that of concurrent.futures, the death of one process fails all that is under way and does not say
over which item it happened.)
"""

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, get_all_start_methods, get_context
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from threading import Lock, Thread
from types import ModuleType
from typing import Any, Generic, TypeVar

from pipeline.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 16  # items that are sent at once, at most
TRIES = 3  # at an item over which a process dies
MAX_STILLBORN = 5  # processes in turn that die before they are ready

# Never a fork of this process, which may have threads; a fork server starts processes as quickly.
_FORKED = "forkserver" in get_all_start_methods()
_CONTEXT: Any = get_context("forkserver" if _FORKED else "spawn")
_starting = Lock()  # what _undisturbed sets is the whole program's
_HAS_SIGNALS = hasattr(signal, "setitimer")  # Windows has no clock that ends a process


@dataclass(frozen=True)
class Death:
    """How the process ended that was working on an item."""

    exitcode: int  # as multiprocessing has it: below 0 the signal that ended it

    @property
    def out_of_time(self) -> bool:
        """Whether it was ended by the clock of held_to."""
        return _HAS_SIGNALS and -self.exitcode == signal.SIGALRM

    @property
    def from_outside(self) -> bool:
        """Whether it was ended by the system, as it does when memory runs out, or by somebody."""
        return str(self) in {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU"}

    def __str__(self) -> str:
        if self.exitcode >= 0:
            return f"exit code {self.exitcode}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-self.exitcode).name
        return f"signal {-self.exitcode}"


def map_isolated(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int | None = None,
    at_once: int = BATCH,
) -> Iterator[Result | Death]:
    """Yield work(item) for each item, in order; a Death where a process died over an item.

    An item is tried three times, for the system kills processes for another's hunger too; but not
    one whose time was up (see held_to). No item is worked on in this process. `jobs` is how many
    processes (None: as many as the processors that this one may use), `at_once` how many items
    one is given at once, at most. `work` is pickled once for each process, items and results one by
    one: a function of a module, a partial of one, or an object that is called. What work raises
    is raised here; DataError when no process can be started.
    """
    from joblib import cpu_count

    crew = _Crew(work, items, min(jobs or cpu_count(), len(items)), at_once)
    try:
        for number in range(len(items)):
            while number not in crew.done:
                crew.listen()
            succeeded, result = crew.done.pop(number)
            if not succeeded:
                raise result
            yield result
    finally:
        crew.dismiss()


@contextlib.contextmanager
def held_to(seconds: float, memory_mb: float) -> Iterator[None]:
    """Let a block, in a process of map_isolated, take so much time and memory (10^6 bytes) more.

    When the time is up the system ends the process, whatever it is doing, and even when nobody
    is left to watch it; more memory is a MemoryError where the system counts it, as Linux does.
    Where the system's own limits are tighter, it is their OSError.
    """
    with _memory_held_to(int(memory_mb * 1e6)):
        if _HAS_SIGNALS:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            if _HAS_SIGNALS:
                signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def _memory_held_to(size: int) -> Iterator[None]:
    counted = Path("/proc/self/statm")
    if not counted.exists():
        yield
        return
    import resource

    pages = counted.read_text().split()
    whole, used = (int(pages[field]) * resource.getpagesize() for field in (0, 5))  # 5: data, stack
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard, used + size) if limit != resource.RLIM_INFINITY]
    all_of_it = resource.getrlimit(resource.RLIMIT_AS)[0]
    is_free = all_of_it == resource.RLIM_INFINITY or all_of_it >= whole + size
    is_ours = is_free and min(limits) == used + size
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    except MemoryError as error:
        if is_ours:
            raise
        told = f"{os.strerror(errno.ENOMEM)}: ulimit gives less than limits.memory_mb"
        raise OSError(errno.ENOMEM, told) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@dataclass(eq=False)
class Worker:
    """A process, and the numbers of the items that it has and has not answered, in order."""

    process: BaseProcess
    pipe: Any  # connection.Connection
    given: deque[int]
    ready: bool = False


class _Crew(Generic[Item, Result]):
    """Processes at work on items; `done` fills with (whether it succeeded, result) by number.

    A process gets a batch and answers item by item, so that the first one without an answer is
    the one that it died over; it gets the next batch when it has answered all, so that neither
    side ever waits to send while the other does.
    """

    def __init__(
        self, work: Callable[[Item], Result], items: Sequence[Item], size: int, at_once: int
    ) -> None:
        self.work, self.items, self.at_once = work, items, at_once
        self.waiting = deque(range(len(items)))
        self.done: dict[int, tuple[bool, Any]] = {}
        self.deaths: Counter[int] = Counter()
        self.stillborn = 0
        self.workers: list[Worker] = []
        try:
            for _ in range(size):
                self.workers.append(_start_worker(work))
        except BaseException:
            self.dismiss()
            raise

    def listen(self) -> None:
        """Wait until some worker says something, and act on it."""
        pipes = {worker.pipe: worker for worker in self.workers}
        for pipe in connection.wait(list(pipes)):
            worker = pipes[pipe]
            try:
                answer = worker.pipe.recv()
            except (EOFError, OSError):  # OSError: it died in the middle of a word
                self.replace(worker)
                continue
            if worker.ready:
                self.done[worker.given.popleft()] = answer
            elif answer:  # why it can't work
                raise answer
            else:
                worker.ready, self.stillborn = True, 0
            if not worker.given:
                self.hand_out(worker)

    def hand_out(self, worker: Worker) -> None:
        """Give a worker its next batch: the fewer are left, the smaller."""
        size = max(1, min(self.at_once, len(self.waiting) // (4 * len(self.workers))))
        worker.given.extend(self.waiting.popleft() for _ in range(min(size, len(self.waiting))))
        # One that has just died is found out when it is listened to.
        with contextlib.suppress(OSError):
            worker.pipe.send([self.items[number] for number in worker.given])

    def replace(self, dead: Worker) -> None:
        """Find out how a worker died, put back what it has not answered, and start another."""
        dead.process.join()
        death = Death(dead.process.exitcode or 0)
        dead.pipe.close()
        self.workers.remove(dead)
        if dead.given:
            culprit = dead.given[0]
            self.deaths[culprit] += 1
            if death.out_of_time or self.deaths[culprit] == TRIES:
                self.done[dead.given.popleft()] = (True, death)
        self.waiting.extendleft(reversed(dead.given))
        self.stillborn += not dead.ready
        if self.stillborn > MAX_STILLBORN:
            raise _not_starting(str(death))
        self.workers.append(_start_worker(self.work))

    def dismiss(self) -> None:
        """End all processes at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.pipe.close()


class Count:
    """A number that processes of map_isolated raise, each as part of its work; read here."""

    def __init__(self) -> None:
        self._value = _CONTEXT.Value("q", 0)

    def add(self, number: int) -> None:
        """Raise it."""
        with self._value.get_lock():
            self._value.value += number

    def read(self) -> int:
        """Return it."""
        return int(self._value.value)


def _not_starting(reason: str) -> DataError:
    return DataError(
        f"the worker processes do not start ({reason}): are there too many open files or "
        "processes, or too little memory? Close other programs, and try again"
    )


def _start_worker(work: Callable[[Any], Any]) -> Worker:
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_serve, args=(work, theirs), daemon=True)
    if _FORKED:  # what the fork server has imported, no process need import again
        function = work.func if isinstance(work, partial) else work
        _CONTEXT.set_forkserver_preload([function.__module__])
    try:
        with _starting, _undisturbed():
            process.start()
    except (EOFError, ConnectionError) as error:  # it is the fork server that died
        raise _not_starting("their server died") from error
    theirs.close()
    return Worker(process, ours, deque())


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Start processes that a Ctrl-C does not reach, and that import only what they need.

    Ctrl-C goes to every process of a terminal; here only the first is to act on it. What lies in
    the current folder is none of our modules; and the script that runs here, which multiprocessing
    imports in every process in case the work is defined in it, has nothing to do with ours.
    """
    before, script = os.environ.get("PYTHONSAFEPATH"), sys.modules["__main__"]
    os.environ["PYTHONSAFEPATH"] = "1"
    sys.modules["__main__"] = ModuleType("__main__")
    if _HAS_SIGNALS:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if _HAS_SIGNALS:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        sys.modules["__main__"] = script
        os.environ.pop("PYTHONSAFEPATH")
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _serve(work: Callable[[Any], Any], pipe: Any) -> None:
    """Answer each item of each batch, until the other side is gone."""
    try:
        _settle_in()
    except OSError as error:  # of the machine
        pipe.send(error)
        return
    pipe.send(None)  # ready
    with contextlib.suppress(EOFError, OSError):
        while True:
            for item in pipe.recv():
                pipe.send(_answer(work, item))


def _settle_in() -> None:
    """Obey the clock, leave no core dumps, and keep what libraries say as they crash to oneself.

    End with the process that asks for the work, whatever this one is at then: its parent by the
    system's count is the fork server, which outlives that one while we live.
    """
    Thread(target=_end_with_asker, daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if _HAS_SIGNALS:
        import resource

        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_asker() -> None:
    asker = parent_process()
    assert asker is not None
    asker.join()
    os._exit(1)


def _answer(work: Callable[[Any], Any], item: Any) -> tuple[bool, Any]:
    try:
        return True, work(item)
    except Exception as error:  # noqa: BLE001 - raised again on the other side
        error.add_note(traceback.format_exc())
        return False, error
