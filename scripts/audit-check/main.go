// Checks what an audit log of agentauth gives to third parties, with the implementation of the Go project: notes
// (golang.org/x/mod/sumdb/note) and trees (golang.org/x/mod/sumdb/tlog).
//
//	audit-check note VKEY NOTE                             the note is signed by the key; its tree head is written out
//	audit-check record VKEY NOTE NUMBER BODY PROOF         the entry with this number has this body (a file)
//	audit-check proof VKEY TLOGPROOF                       the entry in a proof (C2SP tlog-proof) is in the log
//	audit-check tree VKEY OLDER NEWER PROOF                the newer note's log has only grown since the older one
//	audit-check keygen NAME                                a private key and its verifier key, a line each
//	audit-check sign PRIVATE TEXT                          a note with this text
//	audit-check public PRIVATE                             the verifier key of a private key
//
// VKEY, NOTE, BODY, PROOF, PRIVATE and TEXT are files. A proof is a file with a hash in base64 in each line. Status: 0 if it
// is as said, 1 if not, 2 for a wrong command line.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	arguments := os.Args[1:]
	commands := map[string]struct {
		count int
		run   func([]string) error
	}{
		"note": {2, checkNote}, "record": {5, checkRecord}, "proof": {2, checkProof}, "tree": {4, checkTree},
		"keygen": {1, keygen}, "sign": {2, sign}, "public": {1, public},
	}
	if len(arguments) == 0 || len(arguments)-1 != commands[arguments[0]].count {
		fmt.Fprintln(os.Stderr, "usage: see the source")
		os.Exit(2)
	}
	if err := commands[arguments[0]].run(arguments[1:]); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func text(file string) (string, error) {
	content, err := os.ReadFile(file)
	return string(content), err
}

// head reads the tree head of a note in a file.
func head(vkeyFile, noteFile string) (tlog.Tree, error) {
	content, err := text(noteFile)
	if err != nil {
		return tlog.Tree{}, err
	}
	return headOf(vkeyFile, content)
}

// headOf reads the tree head of a note that is signed by the key in a file.
func headOf(vkeyFile, content string) (tlog.Tree, error) {
	vkey, err := text(vkeyFile)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(vkey, "\n"))
	if err != nil {
		return tlog.Tree{}, err
	}
	read, err := note.Open([]byte(content), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	origin, rest, _ := strings.Cut(read.Text, "\n")
	if origin != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the log %q is not called as its key", origin)
	}
	lines := strings.Split(rest, "\n")
	if len(lines) != 3 || lines[2] != "" {
		return tlog.Tree{}, fmt.Errorf("a checkpoint has three lines")
	}
	size, err := strconv.ParseInt(lines[0], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[0] {
		return tlog.Tree{}, fmt.Errorf("a size is a number")
	}
	hash, err := tlog.ParseHash(lines[1])
	return tlog.Tree{N: size, Hash: hash}, err
}

func hashes(file string) ([]tlog.Hash, error) {
	content, err := text(file)
	if err != nil || content == "" {
		return nil, err
	}
	return hashesOf(strings.Split(strings.TrimSuffix(content, "\n"), "\n"))
}

func hashesOf(lines []string) ([]tlog.Hash, error) {
	var read []tlog.Hash
	for _, line := range lines {
		bytes, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("no hash: %q", line)
		}
		read = append(read, tlog.Hash(bytes))
	}
	return read, nil
}

func checkNote(arguments []string) error {
	tree, err := head(arguments[0], arguments[1])
	if err == nil {
		fmt.Println(tree.N, tree.Hash)
	}
	return err
}

func checkRecord(arguments []string) error {
	tree, err := head(arguments[0], arguments[1])
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(arguments[2], 10, 64)
	if err != nil {
		return err
	}
	body, err := text(arguments[3])
	if err != nil {
		return err
	}
	proof, err := hashes(arguments[4])
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(proof), tree.N, tree.Hash, number, tlog.RecordHash([]byte(body)))
}

// checkProof checks a proof whose extra data are the entry's frame: four words, of which the first is the length of the body
// that follows them.
func checkProof(arguments []string) error {
	content, err := text(arguments[1])
	if err != nil {
		return err
	}
	top, signed, _ := strings.Cut(content, "\n\n")
	lines := strings.Split(top, "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("no proof")
	}
	extra, hasExtra := strings.CutPrefix(lines[1], "extra ")
	index, hasIndex := strings.CutPrefix(lines[2], "index ")
	frame, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil || !hasExtra || !hasIndex || len(frame) < 16 {
		return fmt.Errorf("no entry in the proof")
	}
	length := int64(binary.LittleEndian.Uint32(frame))
	if length > int64(len(frame)-16) {
		return fmt.Errorf("the entry is cut off")
	}
	number, err := strconv.ParseInt(index, 10, 64)
	if err != nil {
		return err
	}
	proof, err := hashesOf(lines[3:])
	if err != nil {
		return err
	}
	tree, err := headOf(arguments[0], signed)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(proof), tree.N, tree.Hash, number, tlog.RecordHash(frame[16:16+length]))
}

func checkTree(arguments []string) error {
	older, err := head(arguments[0], arguments[1])
	if err != nil {
		return err
	}
	newer, err := head(arguments[0], arguments[2])
	if err != nil {
		return err
	}
	proof, err := hashes(arguments[3])
	if err != nil {
		return err
	}
	return tlog.CheckTree(tlog.TreeProof(proof), newer.N, newer.Hash, older.N, older.Hash)
}

func keygen(arguments []string) error {
	private, verifier, err := note.GenerateKey(rand.Reader, arguments[0])
	if err == nil {
		fmt.Printf("%s\n%s\n", private, verifier)
	}
	return err
}

func signer(file string) (note.Signer, error) {
	private, err := text(file)
	if err != nil {
		return nil, err
	}
	return note.NewSigner(strings.TrimSuffix(private, "\n"))
}

func sign(arguments []string) error {
	signer, err := signer(arguments[0])
	if err != nil {
		return err
	}
	content, err := text(arguments[1])
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: content}, signer)
	if err == nil {
		fmt.Print(string(signed))
	}
	return err
}

// public signs a text with the key, and so shows its name and its id.
func public(arguments []string) error {
	signer, err := signer(arguments[0])
	if err == nil {
		fmt.Printf("%s+%08x\n", signer.Name(), signer.KeyHash())
	}
	return err
}
