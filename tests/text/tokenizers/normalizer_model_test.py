import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.text.tokenizers.normalizer_model import to_model


def normalize(strings, texts):
    model = tf.constant(np.frombuffer(to_model(strings), np.uint8))
    return tf_text.FastBertNormalizer(model_buffer=model).normalize(texts).numpy().tolist()


def test_characters_of_every_length_are_replaced_and_others_stay():
    strings = {"a": "bc", "é": "", "中": " 中 ", "😀": "x" * 63, "\0": "é", "\u07ff": "1", "\u0800": "2", "\uffff": "3"}
    texts = ["abcé中", "丮😀😁", "\0\x01", "\u07fe\u07ff\u0800\u0801\ufffe\uffff\U00010000\U0010ffff", ""]
    expected = ["bcbc 中 ", "丮" + "x" * 63 + "😁", "é\x01", "\u07fe12\u0801\ufffe3\U00010000\U0010ffff", ""]
    assert [text.decode() for text in normalize(strings, texts)] == expected


def test_what_is_no_utf8_is_removed():
    texts = [
        b"a\xffb",
        b"\xe4\xb8a",
        b"a\xc3",
        b"\xed\xa0\x80b",
        b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x98",
        b"\xc0\xafx",
        b"\x80",
    ]
    expected = [text.decode("utf-8", "ignore").encode() for text in texts]
    assert normalize({}, texts) == normalize({"é": "e", "中": "x"}, texts) == expected


def test_characters_after_a_begun_one_stay():
    """Strings of many lengths, so that values with any last byte lie where a wrong distance would lead."""
    strings = {chr(0x3000 + i): "x" * (i % 64) + str(i) * (i % 64 < 50) for i in range(3000)}
    strings = {c: string[:63] for c, string in strings.items()}
    texts = [chr(code) for code in range(0x80, 0x3000)]
    assert [text.decode() for text in normalize(strings, texts)] == texts


def test_model_is_a_function_of_the_strings():
    assert to_model({"a": "b", "c": "d"}) == to_model({"a": "b", "c": "d"}) != to_model({"a": "b", "c": "e"})
