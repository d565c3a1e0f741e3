import pytest

from bert_tf.text.tokenizers.detokenize import readable


@pytest.mark.parametrize(
    "pieces, text",
    [
        ("[CLS] hello , my dog ' s fur is sh ##in ##y ! [SEP] [PAD] [PAD]", "hello, my dog's fur is shiny!"),
        ("[MASK] of 3 . 5 % ( about $ 1 , 000 )", "[MASK] of 3.5% (about $1,000)"),
        ("well - known and / or not", "well-known and/or not"),
        ("我 爱 北 京 , bert ! 天 安 门 。", "我爱北京, bert! 天安门。"),
        ("", ""),
    ],
)
def test_readable(pieces, text):
    assert readable(pieces.split()) == text
