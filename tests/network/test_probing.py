"""Networks from elsewhere: told by what they say of pictures, for whatever they were trained."""

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.network import backend, building, probing, saving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SHAPE = (13, 15, 1)


def build(last, *inner, classes=3, shape=SHAPE, scaling=(1 / 255,)):
    """Return a small network: scaling, the given layers, one Dense layer with an activation."""
    keras = backend.import_keras()
    backend.make_deterministic(3)
    return keras.Sequential(
        [
            keras.Input(shape),
            *(keras.layers.Rescaling(scale) for scale in scaling),
            *inner,
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation=last),
        ]
    )


def enlarge(model, factor):
    """Multiply what the last layer has learned, as a long training does."""
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([factor * kernel, bias])
    return model


def go_on_from(model, classes, tmp_path):
    """Save a model, and load it to be trained on, as train.init does."""
    model.save(tmp_path / "base.keras")
    return building.build_on(saving.load(tmp_path / "base.keras"), "base.keras", SHAPE, classes)


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (None, r"numbers such as -\S+ and \S+\. End it with a softmax: keras.Model"),
        ("log_softmax", "it gives their logarithms. End it with a softmax"),
        ("sigmoid", "do not sum to 1, as where each is a sigmoid"),
        ("relu", "End it with a softmax"),
        ("tanh", "End it with a softmax"),
    ],
)
def test_what_ends_in_no_softmax_is_refused_unless_it_gets_a_new_end(last, told, tmp_path):
    with pytest.raises(DataError, match=f"base.keras does not give probabilities: .*{told}"):
        go_on_from(build(last), 3, tmp_path)
    assert go_on_from(build(last), 4, tmp_path)[0].output_shape == (None, 4)


def test_two_sigmoids_that_begin_as_halves_do_not_pass_for_a_softmax():
    model = build("sigmoid", classes=2)
    model.layers[-1].set_weights([np.zeros((195, 2)), np.zeros(2)])
    with pytest.raises(DataError, match="each is a sigmoid"):
        probing.check_probabilities(model, "mine")


def test_one_output_is_no_class_each():
    with pytest.raises(DataError, match="it has one output. Give each class its own"):
        probing.check_probabilities(build("sigmoid", classes=1), "mine")


def test_a_softmax_that_is_a_layer_of_its_own_will_do_and_nothing_is_changed(tmp_path):
    keras = backend.import_keras()
    logits = build(None)
    cured = keras.Model(logits.inputs, keras.layers.Softmax()(logits.outputs[0]))
    before = [weights.copy() for weights in cured.get_weights()]
    probing.check_probabilities(cured, "mine")
    assert all(map(np.array_equal, before, cured.get_weights()))
    assert go_on_from(cured, 3, tmp_path)[0].output_shape == (None, 3)
    assert go_on_from(cured, 5, tmp_path)[0].output_shape == (None, 5)


@pytest.mark.parametrize("factor", [1, 10])
def test_a_sound_network_passes(factor):
    probing.check_pixels(enlarge(build("softmax"), factor), "mine")


def test_a_network_that_learned_from_small_numbers_is_told():
    # Of 0..255 nothing but one class is left: the margins are 255 times what they were.
    with pytest.raises(DataError, match=r"another range than 0\.\.255.*Rescaling"):
        probing.check_pixels(enlarge(build("softmax", scaling=()), 10), "mine")


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("scale", [1 / 255, 1 / 127.5, 1])
def test_a_normalisation_knows_the_range_that_it_learned_from(scale, nested, tmp_path):
    keras = backend.import_keras()
    backend.make_deterministic(0)
    inner = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.ReLU(6)]
    model = build("softmax", *([keras.Sequential(inner)] if nested else inner), scaling=())
    pictures = np.random.default_rng(5).integers(0, 256, (64, *SHAPE)) * scale
    for _ in range(100):
        model(pictures.astype(np.float32), training=True)
    model.save(tmp_path / "m.keras")
    loaded = saving.load(tmp_path / "m.keras")
    if scale == 1:
        probing.check_spread(loaded, "mine")
    else:
        with pytest.raises(DataError, match="another range than 0..255"):
            probing.check_spread(loaded, "mine")


def test_a_network_that_scales_by_itself_may_have_any_normalisation():
    keras = backend.import_keras()
    model = build("softmax", keras.layers.BatchNormalization(), scaling=(1 / 127.5,))
    for _ in range(100):
        model(np.random.default_rng(5).integers(0, 256, (32, *SHAPE)), training=True)
    probing.check_pixels(model, "mine")


def test_weights_that_are_no_numbers_and_answers_without_a_question_are_told():
    model = build("softmax")
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0 * kernel, bias])
    with pytest.raises(DataError, match="mine says the same of every picture"):
        probing.check_pixels(model, "mine")
    kernel[3, 1] = np.nan
    model.layers[-1].set_weights([kernel, bias])
    with pytest.raises(DataError, match="mine has weights that are no numbers"):
        probing.check_pixels(model, "mine")


@pytest.mark.parametrize(("inputs", "outputs", "told"), [(2, 1, "2 inputs"), (1, 2, "2 outputs")])
def test_one_picture_goes_in_and_one_answer_comes_out(inputs, outputs, told):
    keras = backend.import_keras()
    ends = [keras.Input(SHAPE) for _ in range(inputs)]
    flat = keras.layers.Flatten()(keras.layers.Add()(ends) if inputs > 1 else ends[0])
    answers = [keras.layers.Dense(2, activation="softmax")(flat) for _ in range(outputs)]
    with pytest.raises(DataError, match=f"mine has {told}: one is needed"):
        saving.check_fit(keras.Model(ends, answers), SHAPE, 2, "mine")


def test_a_map_is_no_answer():
    keras = backend.import_keras()
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(2, 3, activation="softmax")])
    with pytest.raises(DataError, match="mine gives 11 x 13 x 2 numbers, not one for each class"):
        saving.check_fit(model, SHAPE, 2, "mine")
