"""`python -m bert_tf` is `bert-tf`."""

from bert_tf.cli.main import main

if __name__ == "__main__":
    main()
