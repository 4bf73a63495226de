"""The models: their size against hand counts, exact repetition, the checkpoint, files."""

import functools
import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.network import asking, backend, building, fitting, recipes, saving

# What Keras does to its own JAX variables.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SHAPE = (13, 15, 1)


def bright_side(count, seed=0, shape=SHAPE):
    """Return noisy tiles whose left (0) or right (1) half is brighter, and which one it is."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    images = random.integers(0, 120, (count, *shape), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        half = slice(None, shape[1] // 2) if label == 0 else slice(shape[1] // 2 + 1, None)
        image[:, half] += 60
    return images, labels


@functools.cache
def build_once(name):
    return building.build(name, SHAPE, 2, seed=0)


def start(name, seed):
    """Return a model that is as good as a new one: building and tracing one takes a second."""
    building.restart(model := build_once(name), seed)
    return model


def batches_of(images, labels, size=16):
    """Return get_batch over slices of the arrays, from the start again at their end."""

    def get_batch(step):
        chosen = np.arange(step * size, (step + 1) * size) % len(images)
        return images[chosen], labels[chosen]

    return get_batch


def train(model, steps=6, every=3, **more):
    """Train on the bright-side task."""
    settings = {"validation": bright_side(40, seed=1), **more}
    return fitting.fit(
        model, batches_of(*bright_side(64)), steps=steps, validate_every=every, **settings
    )


def digest(model):
    """Return a hash of all weights and of predictions."""
    numbers = [*model.get_weights(), asking.predict(model, bright_side(10, seed=2)[0])]
    return hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest()


def train_and_digest(model):
    """Return what a whole run comes to: the losses on the way and a hash of its weights."""
    rows = train(model).rows
    return [*map(list, rows), digest(model)]


def train_from(seed):
    """Return what a run of a new model comes to; lists, so that JSON gives the same back."""
    return train_and_digest(building.build("cnn", SHAPE, 2, seed=seed))


# --- The models ----------------------------------------------------------------------------


def test_importing_the_module_imports_no_framework_and_knows_the_models():
    code = (
        "import sys; from pipeline.network.recipes import MODELS; print(*MODELS);"
        "assert not {'keras', 'tensorflow', 'jax', 'torch', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cnn", "deepconv", "dense16", "dense512", "cnn1", "cifar"]


# Kernel height x width x channels in x out, and a bias for each channel out.
CNN_28 = (
    (3 * 3 * 1 * 32 + 32)
    + (3 * 3 * 32 * 32 + 32)
    + (3 * 3 * 32 * 16 + 16)
    + (5 * 5 * 16 * 784 + 784)  # 28 -> 26 -> 24 -> pool 12 -> 10 -> pool 5
    + (784 * 10 + 10)
)
DEEPCONV_80 = (
    (3 * 3 * 3 * 16 + 16)
    + (3 * 3 * 16 * 16 + 16)
    + (3 * 3 * 16 * 32 + 32)
    + (3 * 3 * 32 * 32 + 32)
    + (3 * 3 * 32 * 64 + 64)
    + (3 * 3 * 64 * 64 + 64)
    + (10 * 10 * 64 * 50 + 50)  # 80 -> pool 40 -> pool 20 -> pool 10
    + (50 * 2 + 2)
)
CIFAR_32 = (
    (3 * 3 * 3 * 32 + 32)
    + (3 * 3 * 32 * 64 + 64)
    + 2 * (3 * 3 * 64 * 64 + 64)
    + (8 * 8 * 64 * 512 + 512)
    + (512 * 10 + 10)
)
CNN1_28 = (3 * 3 * 32 + 32) + (13 * 13 * 32 * 784 + 784) + (784 * 10 + 10)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "parameters"),
    [
        ("cnn", (28, 28, 1), 10, CNN_28),
        ("deepconv", (80, 80, 3), 2, DEEPCONV_80),
        ("dense16", (28, 28, 1), 10, (784 * 16 + 16) + (16 * 10 + 10)),
        ("dense512", (28, 28, 1), 10, (784 * 512 + 512) + (512 * 10 + 10)),
        ("cnn1", (28, 28, 1), 10, CNN1_28),
        ("cifar", (32, 32, 3), 10, CIFAR_32),
    ],
)
def test_each_model_has_the_layers_of_its_study(name, shape, classes, parameters):
    model = building.build(name, shape, classes, seed=0)
    assert asking.count_parameters(model) == parameters
    assert model.input_shape == (None, *shape)
    assert model.output_shape == (None, classes)


@pytest.mark.parametrize("name", recipes.MODELS)
def test_the_smallest_side_is_the_true_one(name):
    recipe = recipes.RECIPES[name]
    side = recipe.smallest_side
    assert building.build(name, (side, side + 4, 3), 2, seed=0).built
    if side > 1:
        keras = backend.import_keras()
        layers = [keras.Input((side + 4, side - 1, 3)), *recipe.layers(keras.layers)]
        with pytest.raises(ValueError, match="would be (zero or )?negative"):
            keras.Sequential(layers)


def test_tiles_too_small_for_the_model_and_unknown_names_are_refused_in_words():
    with pytest.raises(DataError, match="'cnn' needs tiles of at least 12 x 12 pixels.* 8 x 28"):
        building.build("cnn", (8, 28, 1), 10, seed=0)
    with pytest.raises(DataError, match="Unknown model 'depconv'. Did you mean 'deepconv'?"):
        building.build("depconv", (80, 80, 3), 2, seed=0)


def test_each_model_has_its_optimiser_and_the_learning_rate_can_be_set():
    def optimiser(name, **more):
        chosen = building.build(name, SHAPE, 2, seed=0, **more).optimizer
        return chosen.name, float(chosen.learning_rate)

    assert optimiser("cnn") == ("adam", pytest.approx(0.001))
    assert optimiser("cnn1") == ("sgd", pytest.approx(0.01))
    assert optimiser("cnn1", learning_rate=0.25) == ("sgd", 0.25)


def test_the_summary_is_plain_text():
    text = asking.summarise(building.build("cnn", (28, 28, 1), 10, seed=0))
    assert "336,426" in text
    assert "(None, 24, 24, 32)" in text
    assert all(character.isprintable() or character == "\n" for character in text)


# --- Own models ----------------------------------------------------------------------------


def small(shape, classes, *, last="softmax", compiled=False):
    keras = backend.import_keras()
    inputs = keras.Input(shape)
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(classes, activation=last)(flat))
    if compiled:
        model.compile(optimizer=keras.optimizers.SGD(0.125, momentum=0.5), loss="mse")
    return model


def test_an_own_model_trains_like_any_other():
    model = building.build_own(small, "mine", SHAPE, 2)
    assert asking.count_parameters(model) == 13 * 15 * 2 + 2
    assert (model.optimizer.name, model.loss) == ("adam", "sparse_categorical_crossentropy")
    building.restart(model, seed=1)
    assert train(model, steps=200, every=100).rows[-1].val_accuracy > 0.9


def test_an_own_model_may_leave_the_tiles_shape_open():
    layers = backend.import_keras().layers

    def build(shape, classes):
        last = layers.Dense(classes, activation="softmax")
        return backend.import_keras().Sequential([layers.Flatten(), last])

    model = building.build_own(build, "mine", SHAPE, 2)
    assert asking.count_parameters(model) == 13 * 15 * 2 + 2


def test_an_own_model_that_comes_compiled_keeps_its_optimiser():
    model = building.build_own(functools.partial(small, compiled=True), "mine", SHAPE, 2)
    assert (float(model.optimizer.learning_rate), model.optimizer.momentum) == (0.125, 0.5)
    assert model.loss == "sparse_categorical_crossentropy"
    faster = functools.partial(small, compiled=True)
    model = building.build_own(faster, "mine", SHAPE, 2, learning_rate=0.25)
    assert float(model.optimizer.learning_rate) == 0.25


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda shape, classes: None, "mine returns NoneType, not a Keras model"),
        (lambda shape: None, "mine does not build: TypeError: "),
        (lambda shape, classes: 1 / 0, "mine does not build: ZeroDivisionError"),
        (lambda shape, classes: small(shape, 7), "mine tells 7 classes apart, but .* has 2"),
        (lambda shape, classes: small((9, 9, 1), 2), "mine takes 9 x 9 x 1, but the tiles are"),
        (functools.partial(small, last=None), "mine does not give probabilities.*softmax"),
    ],
)
def test_an_own_model_that_does_not_fit_is_refused_in_words(function, message):
    with pytest.raises(DataError, match=message):
        building.build_own(function, "mine", SHAPE, 2)


def test_an_own_model_that_cannot_be_built_again_is_refused():
    keras = backend.import_keras()

    class Mine(keras.Model):
        def __init__(self, last):
            super().__init__()
            self.last = last

    with pytest.raises(DataError, match="Keras's own layers"):
        building.build_own(lambda shape, classes: Mine(print), "mine", SHAPE, 2)


# --- Precision -----------------------------------------------------------------------------


def nested(shape, classes):
    keras = backend.import_keras()
    inner = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4, activation="relu")])
    inputs = keras.Input(shape)
    last = keras.layers.Dense(classes, activation="softmax")
    return keras.Model(inputs, last(inner(keras.layers.Rescaling(1 / 255)(inputs))))


def check_precision(model, computed):
    """All but the last layer compute in the given type; what is kept and comes out is float32."""
    *inner, last = building._flatten(model)
    assert {layer.compute_dtype for layer in inner if "input" not in layer.name} == {computed}
    assert last.compute_dtype == "float32"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert model.predict_on_batch(bright_side(3)[0]).dtype == np.float32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_computes_in_its_precision_and_keeps_float32(precision, tmp_path):
    named = building.build("cnn", SHAPE, 2, seed=0, precision=precision)
    own = building.build_own(nested, "mine", SHAPE, 2, precision=precision)
    for model in (named, own):
        check_precision(model, precision)
    building.restart(named, seed=3)
    images, labels = bright_side(200, seed=3)
    train(named, steps=40, every=20)
    assert asking.measure(named, images, labels)[1] > 0.95
    saving.save(named, tmp_path / "m.keras")
    loaded = saving.load(tmp_path / "m.keras")
    check_precision(loaded, precision)
    assert np.array_equal(asking.predict(loaded, images), asking.predict(named, images))
    if backend.import_keras().config.backend() == "tensorflow":
        assert np.isfinite(asking.explain(loaded, images[:4], labels[:4])).all()
    other = {"float32": "bfloat16", "bfloat16": "float32"}[precision]
    check_precision(building.build_on(loaded, "m.keras", SHAPE, 2, precision=other)[0], other)


def test_float32_leaves_an_own_model_as_it_is():
    def build(shape, classes):
        layers = backend.import_keras().layers
        last = layers.Dense(classes, activation="softmax")
        return backend.import_keras().Sequential([layers.Flatten(dtype="bfloat16"), last])

    model = building.build_own(build, "mine", SHAPE, 2)
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16", "float32"]


def test_both_precisions_start_from_the_same_weights():
    one, two = (
        building.build("cnn", SHAPE, 2, seed=1, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert all(map(np.array_equal, one.get_weights(), two.get_weights()))
    assert train(one).rows != train(two).rows


# --- Training ------------------------------------------------------------------------------


def test_a_simple_task_is_learned():
    model = building.build("cnn", SHAPE, 2, seed=0)
    history = train(model, steps=40, every=20)
    assert history.rows[-1].val_accuracy > 0.95
    assert history.rows[-1].loss < history.rows[0].loss
    images, labels = bright_side(200, seed=3)
    assert (asking.predict(model, images).argmax(axis=1) == labels).mean() > 0.95


def test_exactly_the_given_steps_are_made_on_the_batches_in_order():
    asked, done = [], []
    get_batch = batches_of(*bright_side(64))
    model = start("dense16", 0)
    history = train(model, steps=7, every=3, on_step=done.append)
    assert [row.step for row in history.rows] == [3, 6, 7]
    assert int(model.optimizer.iterations) == 7
    fitting.fit(model, lambda k: asked.append(k) or get_batch(k), steps=7, validate_every=3)
    assert asked == list(range(7))
    assert done == list(range(1, 8))
    assert history.failed_step is None
    assert history.seconds > 0


def test_a_step_is_one_step_of_gradient_descent_on_the_batch_it_was_given():
    # By hand for the last bias under softmax and cross-entropy: the mean of (p - truth).
    model = building.build("cnn1", SHAPE, 3, seed=0, learning_rate=0.5)
    images = bright_side(4)[0]
    labels = np.array([2, 0, 2, 1])
    before = asking.predict(model, images)
    bias = model.get_weights()[-1]
    history = fitting.fit(model, lambda k: (images, labels), steps=1, validate_every=1)
    gradient = (before - np.eye(3)[labels]).mean(axis=0)
    assert model.get_weights()[-1] == pytest.approx(bias - 0.5 * gradient, abs=1e-6)
    assert history.rows[0].loss == pytest.approx(-np.log(before[range(4), labels]).mean(), rel=1e-5)
    assert history.rows[0].accuracy == (before.argmax(axis=1) == labels).mean()


def test_a_weight_of_two_counts_like_the_picture_twice():
    images, labels = bright_side(4)
    twice = building.build("cnn1", SHAPE, 2, seed=0, learning_rate=0.5)
    weighted = building.build("cnn1", SHAPE, 2, seed=0, learning_rate=0.5)
    rows = [0, 0, 1, 2, 3, 3]
    fitting.fit(twice, lambda k: (images[rows], labels[rows]), steps=1, validate_every=1)
    weights = np.float32([2, 1, 1, 2]) * 4 / 6  # the loss is a mean over the batch
    fitting.fit(weighted, lambda k: (images, labels, weights), steps=1, validate_every=1)
    for one, two in zip(twice.get_weights(), weighted.get_weights(), strict=True):
        assert one == pytest.approx(two, abs=1e-5)


def test_the_weights_with_the_lowest_validation_loss_come_back():
    images, labels = bright_side(40, seed=1)

    def weights_and_loss(seed):
        model = start("dense16", seed)
        return asking.measure(model, images, labels)[0], model.get_weights()

    # At a learning rate of 0 the weights change only where they are planted.
    (low, best), (middle, first), (high, last) = sorted(map(weights_and_loss, range(3)))
    plants = {1: first, 8: best, 22: last}
    model = building.build("dense16", SHAPE, 2, seed=0, learning_rate=0)
    history = train(
        model,
        steps=30,
        every=5,
        on_step=lambda step: step in plants and model.set_weights(plants[step]),
    )
    losses = [row.val_loss for row in history.rows]
    assert losses == [middle, low, low, low, high, high]
    assert history.best_step == 10  # the first of equals
    assert all(map(np.array_equal, model.get_weights(), best))


def test_without_a_validation_set_the_last_weights_stay():
    with_validation, without = (building.build("dense16", SHAPE, 2, seed=0) for _ in range(2))
    history = train(without, steps=5, validation=None)
    train(with_validation, steps=5, every=5)
    assert digest(without) == digest(with_validation)
    assert history.best_step == 5
    assert np.isnan([row.val_loss for row in history.rows]).all()


def follow_weights(model, steps):
    """Train step by step; return the weights after each step."""
    after = []
    train(model, steps=steps, every=steps, on_step=lambda _: after.append(model.get_weights()))
    return after


def test_the_average_is_the_exponential_mean_of_the_weights_on_the_way():
    model = building.build("cnn", SHAPE, 2, seed=0)
    first, *others = follow_weights(model, 7)
    mean = first
    share = building.AVERAGING
    for weights in others:
        mean = [share * m + (1 - share) * w for m, w in zip(mean, weights, strict=True)]
    building.restart(model, 0)
    history = train(model, steps=7, every=3, keep="average")
    for kept, expected in zip(model.get_weights(), mean, strict=True):
        np.testing.assert_allclose(kept, expected, rtol=1e-4, atol=1e-6)
    assert history.best_step == 7


def test_taking_the_average_does_not_disturb_the_training():
    """The last weights are the same, however often the average was looked at on the way."""
    model = building.build("dense16", SHAPE, 2, seed=0)
    plain = follow_weights(model, 6)[-1]
    building.restart(model, 0)
    after = []
    train(
        model, steps=6, every=2, keep="average", on_step=lambda _: after.append(model.get_weights())
    )
    assert all(map(np.array_equal, after[-1], plain))


def test_the_last_weights_are_kept_if_asked_for():
    model = building.build("dense16", SHAPE, 2, seed=0, learning_rate=0.5)
    last = follow_weights(model, 6)[-1]
    building.restart(model, 0)
    history = train(model, steps=6, every=1, keep="last")
    assert all(map(np.array_equal, model.get_weights(), last))
    assert history.best_step == 6


def test_of_a_failed_training_the_average_before_it_is_kept():
    model = building.build("dense16", SHAPE, 2, seed=0)
    train(model, steps=4, every=2, keep="average")
    before = model.get_weights()
    building.restart(model, 0)

    def spoil(step):
        if step == 5:
            model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])

    history = train(model, steps=20, every=2, keep="average", on_step=spoil)
    assert (history.failed_step, history.best_step) == (6, 4)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_measure_gives_the_loss_and_accuracy_that_keras_gives():
    model = building.build("dense16", SHAPE, 2, seed=0, learning_rate=0.05)
    train(model)
    images, labels = bright_side(150, seed=5)
    assert asking.measure(model, images, labels) == pytest.approx(
        model.evaluate(images, labels, verbose=0), rel=1e-5
    )


def test_a_loss_that_is_no_number_ends_the_training_and_the_step_is_named():
    model = building.build("dense16", SHAPE, 2, seed=0, learning_rate=0.05)
    done = []

    def spoil(step):
        done.append(step)
        if step == 5:
            model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])

    history = train(model, steps=20, every=2, on_step=spoil)
    assert history.failed_step == 6
    assert done == [1, 2, 3, 4, 5]
    assert [row.step for row in history.rows] == [2, 4, 6]
    assert history.best_step in (2, 4)
    assert np.isfinite(asking.predict(model, bright_side(3)[0])).all()


def test_weights_spoiled_by_the_very_last_step_are_noticed_at_the_validation():
    model = start("dense16", 0)
    initial = model.get_weights()

    def spoil(step):
        if step == 4:
            model.set_weights([np.full_like(array, np.nan) for array in initial])

    history = train(model, steps=4, every=4, on_step=spoil)
    assert np.isfinite(history.rows[0].loss)
    assert (history.failed_step, history.best_step) == (4, 0)
    assert all(map(np.array_equal, model.get_weights(), initial))


def test_without_a_validation_set_spoiled_weights_are_noticed_too():
    model = start("dense16", 0)

    def spoil(step):
        if step == 4:
            model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])

    history = train(model, steps=6, every=2, on_step=spoil, validation=None)
    assert (history.failed_step, history.best_step) == (4, 2)
    assert np.isfinite(asking.predict(model, bright_side(3)[0])).all()


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_training_that_goes_on_from_a_checkpoint_ends_like_one_never_stopped(optimiser, stop):
    recipe = "cnn" if optimiser == "adam" else "cnn1"  # cnn has dropout: its dice go on as well
    model = start(recipe, 5)
    taken = []
    whole = train(model, steps=11, every=3, on_checkpoint=taken.append)
    expected = digest(model)
    assert [checkpoint.step for checkpoint in taken] == [3, 6, 9]
    building.restart(model, seed=8)  # another run in between
    train(model, steps=2)
    building.restart(model, seed=5)
    again = train(model, steps=11, every=3, resume=taken[stop])
    assert digest(model) == expected
    assert (again.rows, again.best_step) == (whole.rows, whole.best_step)
    assert again.seconds >= taken[stop].seconds


class Windows:
    """Tiles that can be had in windows only."""

    def __init__(self, images):
        self.images, self.shape, self.largest = images, images.shape, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        self.largest = max(self.largest, rows.stop - rows.start)
        return self.images[rows]


def test_tiles_that_are_read_in_windows_give_the_same_numbers():
    images, labels = bright_side(300, seed=1)
    windows = Windows(images)
    one, two = (building.build("cnn", SHAPE, 2, seed=0) for _ in range(2))
    whole = train(one, validation=(images, labels))
    assert train(two, validation=(windows, labels)).rows == whole.rows
    assert np.array_equal(asking.predict(one, images), asking.predict(two, windows))
    assert windows.largest <= 128


def test_the_next_batches_are_got_by_a_thread_and_few_of_them():
    get_batch = batches_of(*bright_side(64))
    model = start("dense16", 0)
    asked, done, ahead = [], [], []

    def get(number):
        asked.append((number, threading.current_thread()))
        ahead.append(number - len(done))
        return get_batch(number)

    fitting.fit(model, get, steps=20, validate_every=6, on_step=done.append)
    assert [number for number, _ in asked] == list(range(20))
    (thread,) = {thread for _, thread in asked}
    assert thread is not threading.main_thread()
    assert not thread.is_alive()
    assert max(ahead) <= fitting.AHEAD + 1


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["get_batch", "on_step"])
def test_what_goes_wrong_while_training_comes_through_and_no_thread_stays(error, where):
    get_batch = batches_of(*bright_side(64))
    model = start("dense16", 0)
    before = threading.active_count()

    def fail(number):
        if number == 5:
            raise error

    with pytest.raises(type(error)):
        fitting.fit(
            model,
            lambda k: (where == "get_batch" and fail(k)) or get_batch(k),
            steps=20,
            validate_every=20,
            on_step=fail if where == "on_step" else None,
        )
    assert threading.active_count() == before


def test_steps_and_intervals_below_one_are_a_callers_mistake():
    model = start("dense16", 0)
    with pytest.raises(ValueError, match="at least 1"):
        train(model, steps=0)
    with pytest.raises(ValueError, match="at least 1"):
        train(model, every=0)


# --- The same again ------------------------------------------------------------------------


def test_a_run_gives_the_same_numbers_alone_after_others_and_in_a_fresh_process():
    train_from(seed=0)
    second = train_from(seed=1)
    assert train_from(seed=1) == second
    code = "import json; from test_building import train_from; print(json.dumps(train_from(1)))"
    alone = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])},
    )
    assert json.loads(alone.stdout) == second
    assert alone.stderr == ""  # neither TensorFlow nor Keras has a word to say in the terminal


def test_arms_with_one_seed_start_from_one_set_of_weights_whatever_their_data():
    def initial(seed):
        return building.build("deepconv", (9, 8, 3), 2, seed=seed).get_weights()

    first = initial(seed=7)
    train(building.build("dense16", SHAPE, 5, seed=7), steps=2)  # other data, other draws
    np.random.default_rng().random(10)
    again, other = initial(seed=7), initial(seed=8)
    assert all(map(np.array_equal, first, again))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1)


def test_a_restarted_model_is_as_good_as_a_new_one():
    new = train_from(seed=4)
    model = building.build("cnn", SHAPE, 2, seed=3)
    assert train_and_digest(model) != new
    building.restart(model, seed=4)
    assert train_and_digest(model) == new


# --- Asking --------------------------------------------------------------------------------


def test_predictions_are_probabilities_in_order_and_the_same_in_windows():
    model = building.build("cnn", SHAPE, 4, seed=0)
    images = bright_side(37)[0]
    whole = asking.predict(model, images)
    assert whole.dtype == np.float32
    assert whole.shape == (37, 4)
    assert whole.sum(axis=1) == pytest.approx(np.ones(37), abs=1e-5)
    windows = (images[start : start + 10] for start in range(0, 37, 10))
    assert asking.predict(model, windows, batch_size=8) == pytest.approx(whole, abs=1e-6)
    assert asking.predict(model, images[[5]]) == pytest.approx(whole[[5]], abs=1e-6)
    assert asking.predict(model, images[:0]).shape == (0, 4)
    assert asking.predict(model, iter(())).shape == (0, 4)


def test_tiles_go_in_as_they_are_stored():
    model = building.build("dense16", SHAPE, 2, seed=0)
    kernel, bias, last_kernel, last_bias = model.get_weights()
    images = bright_side(5)[0]
    hidden = 1 / (1 + np.exp(-(images.reshape(5, -1) / 255 @ kernel + bias)))
    powers = np.exp(hidden @ last_kernel + last_bias)
    expected = powers / powers.sum(axis=1, keepdims=True)
    assert asking.predict(model, images) == pytest.approx(expected, abs=1e-5)


# --- Files ---------------------------------------------------------------------------------


def test_a_saved_model_predicts_the_same(tmp_path):
    model = building.build("cnn", SHAPE, 2, seed=0)
    weights = [array + 0.01 for array in model.get_weights()]  # not the initial ones
    model.set_weights(weights)
    for path in (tmp_path / "model.keras", tmp_path / "beside.tmp"):
        saving.save(model, path)
        assert sorted(tmp_path.iterdir()) == [path]
        path = path.rename(tmp_path / "model.keras")
        assert digest(saving.load(path)) == digest(model)
        path.unlink()


def test_a_saved_model_does_not_carry_the_optimisers_memory(tmp_path):
    model = building.build("dense512", (28, 28, 1), 10, seed=0)
    images = np.zeros((4, 28, 28, 1), np.uint8)
    fitting.fit(model, lambda k: (images, np.arange(4)), steps=1, validate_every=1)
    saving.save(model, tmp_path / "model.keras")
    weights = 4 * asking.count_parameters(model)  # float32
    assert weights < (tmp_path / "model.keras").stat().st_size < 1.1 * weights


def test_a_model_that_asks_for_more_memory_than_there_is_is_refused(tmp_path):
    keras, path = backend.import_keras(), tmp_path / "model.keras"
    layers = [keras.layers.Conv2D(7, 3), keras.layers.GlobalAveragePooling2D()]
    saving.save(keras.Sequential([keras.Input(SHAPE), *layers]), path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Conv2D")[
        "config"
    ]["filters"] = 2**45  # a petabyte of weights
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match="does not hold a Keras model"):
        saving.load(path)


def test_packages_that_keras_was_kept_from_import_as_ever():
    backend.import_keras()
    for name in ("matplotlib", "pandas", "sklearn"):
        assert name not in sys.modules or sys.modules[name] is not None


def test_versions_name_what_computed():
    versions = backend.versions()
    assert versions["keras"].startswith("3.")
    assert versions["backend"] == os.environ.get("KERAS_BACKEND", "tensorflow")
    assert versions[versions["backend"]][0].isdigit()


# --- What a model looked at ------------------------------------------------------------------


def test_the_map_lights_up_the_corner_that_decides_and_no_other(tmp_path):
    """Class 1 is chosen by the top left 3x4 pixels alone, class 0 by the bottom right ones."""
    keras = backend.import_keras()
    side, corner = 9, (slice(0, 3), slice(0, 4))
    model = keras.Sequential(
        [
            keras.Input((side, side, 1), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(1, 1, use_bias=False),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    decides = np.zeros((side, side, 2), np.float32)
    decides[..., 1][corner] = 1
    decides[..., 0] = decides[::-1, ::-1, 1]
    model.set_weights([np.ones((1, 1, 1, 1)), decides.reshape(-1, 2), np.zeros(2)])
    saving.save(model, tmp_path / "model.keras")
    model = saving.load(tmp_path / "model.keras")
    tiles = np.random.default_rng(4).integers(50, 256, (3, side, side, 1)).astype(np.uint8)
    maps = asking.explain(model, tiles, np.array([1, 1, 0]))
    assert maps.shape == (3, side, side)
    assert maps.max(axis=(1, 2)) == pytest.approx(1)
    for number, part in enumerate([maps[0], maps[1], maps[2, ::-1, ::-1]]):
        assert (part[corner] > 0.1).all(), number
        assert part.sum() == pytest.approx(part[corner].sum())


def test_a_model_without_convolutions_has_no_map():
    model = building.build("dense16", (28, 28, 1), 2, seed=0)
    assert asking.explain(model, np.zeros((1, 28, 28, 1), np.uint8), np.array([0])) is None


@pytest.mark.parametrize("pooled", [False, True], ids=["features", "pooled"])
def test_maps_show_where_a_network_within_a_network_looked(pooled):
    """The inner one's only kernel sees a bright spot, and is frozen as a backbone is."""
    keras = pytest.importorskip("keras")
    inner_input = keras.Input((12, 10, 1))
    seen = keras.layers.Conv2D(1, 1, use_bias=False, name="eye")(inner_input)
    end = keras.layers.GlobalAveragePooling2D()(seen) if pooled else seen
    inner = keras.Model(inner_input, end)
    inner.get_layer("eye").set_weights([np.ones((1, 1, 1, 1), np.float32)])
    inner.trainable = False
    outer_input = keras.Input((12, 10, 1))
    features = inner(keras.layers.Rescaling(1 / 255)(outer_input))
    flat = features if pooled else keras.layers.GlobalAveragePooling2D()(features)
    outer = keras.Model(outer_input, keras.layers.Dense(2, activation="softmax")(flat))
    outer.layers[-1].set_weights([np.array([[-1.0, 1.0]], np.float32), np.zeros(2, np.float32)])
    tile = np.zeros((1, 12, 10, 1), np.uint8)
    tile[0, 7, 3] = 200
    [found] = asking.explain(outer, tile, np.array([1]))
    assert np.unravel_index(found.argmax(), found.shape) == (7, 3)
    assert np.count_nonzero(found) == 1
