import json, subprocess, sys

store, messages, letters = sys.argv[1:]
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
pawl = subprocess.Popen(["pawl", "decrypt", store, "--jsonl"], **pipes)
ack = subprocess.Popen(["pawl", "ack", store], **pipes)
for message in open(messages):
    print(message.strip(), file=pawl.stdin)
    answer = json.loads(pawl.stdout.readline())
    with open(letters, "a") as kept:
        print(answer["plaintext"], file=kept)
    print(answer["receipt"], file=ack.stdin)
for ended in pawl, ack:
    print(ended.communicate()[0], ended.returncode)
