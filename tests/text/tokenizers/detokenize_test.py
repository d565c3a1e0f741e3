import pytest
import tensorflow as tf

from bert_tf.text.tokenizers.detokenize import readable, spelling, tidy


@pytest.mark.parametrize(
    "pieces, text",
    [
        ("[CLS] hello , my dog ' s fur is sh ##in ##y ! [SEP] [PAD] [PAD]", "hello, my dog's fur is shiny!"),
        ("[MASK] of 3 . 5 % ( about $ 1 , 000 )", "[MASK] of 3.5% (about $1,000)"),
        ("well - known and / or not", "well-known and/or not"),
        ("it ' s . he ' s ' s a - b - c 1 . 2 . 3 ö - ä d ' sé", "it's. he's's a-b-c 1.2.3 ö-ä d ' sé"),
        ("##s it", "s it"),
        ("我 爱 北 京 , bert ! 天 安 门 。", "我爱北京, bert! 天安门。"),
        ("", ""),
    ],
)
def test_readable(pieces, text):
    assert readable(pieces.split()) == text
    joined = tf.constant(["".join(map(spelling, pieces.split()))])
    assert tidy(joined)[0].numpy().decode() == text
