// Command inventory lists what of others is in the program: as THIRD_PARTY_NOTICES, with
// the text of every licence, and as a CycloneDX bill of materials. It asks the go command
// which modules the program's packages come from and reads the licences in the module
// cache; nothing is fetched but what building needs. A licence that it does not know is an
// error: somebody has to look at it.
//
//	go run ./internal/inventory -notices THIRD_PARTY_NOTICES -sbom sbom.cdx.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"t2sda/internal/atomicfile"
)

func main() {
	notices := flag.String("notices", "", "`file` to write the notices to")
	bill := flag.String("sbom", "", "`file` to write the bill of materials to (CycloneDX, JSON)")
	flag.Parse()
	if err := run(context.Background(), *notices, *bill); err != nil {
		fmt.Fprintln(os.Stderr, "inventory:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, notices, bill string) error {
	if notices == "" && bill == "" {
		return errors.New("nothing to write: give -notices or -sbom")
	}
	modules, err := listModules(ctx)
	if err != nil {
		return err
	}
	if notices != "" {
		if err := atomicfile.Write(notices, noticesOf(modules)); err != nil {
			return err
		}
	}
	if bill == "" {
		return nil
	}
	text, err := billOf(modules, version(ctx), time.Now())
	if err != nil {
		return err
	}
	return atomicfile.Write(bill, text)
}

// version is that of the working tree, as git tells it.
func version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
