#!/bin/sh
# Puts an SPDX line on top of each source file of the component that has none. Runs in the component's folder.
set -eu
find . -type f \( -name '*.go' -o -name '*.java' -o -name '*.ts' \) \
	-not -path '*/vendor/*' -not -path '*/node_modules/*' -not -path './.git/*' |
	sort | while IFS= read -r file; do
	head -n 5 "$file" | grep -q 'SPDX-License-Identifier' && continue
	head -n 5 "$file" | grep -q 'DO NOT EDIT' && continue
	{ printf '// SPDX-License-Identifier: %s\n\n' "$LICENCE" && cat "$file"; } >"$file.new"
	cat "$file.new" >"$file" # keeps the mode
	rm "$file.new"
done
