#!/bin/sh
# Writes the lock of one version of a package to this folder:
#
#	./make.sh serverless 3.39.0
#	./make.sh osls 4.3.1
#	./make.sh aws-cdk 2.1148.1
#
# README.md says what is in it, and what to check before it is committed.
set -eu
package=$1 version=$2
locks=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# Serverless 3 asks for ^3 of the AWS SDK, which needs Node 20 since 3.968.0
# (util-locate-window since 3.965.2). Held back here, the tree runs on Node 18,
# and everything else in it is as new as it can be. Each held version is within
# what its dependents ask for, so that `npm ci` needs no overrides.
overrides='{}'
if [ "$package" = serverless ]; then
	overrides='{
		"@aws-sdk/client-api-gateway": "3.967.0",
		"@aws-sdk/client-cloudformation": "3.967.0",
		"@aws-sdk/client-cognito-identity-provider": "3.967.0",
		"@aws-sdk/client-eventbridge": "3.967.0",
		"@aws-sdk/client-iam": "3.967.0",
		"@aws-sdk/client-lambda": "3.967.0",
		"@aws-sdk/client-s3": "3.967.0",
		"@aws-sdk/client-sts": "3.967.0",
		"@aws-sdk/util-locate-window": "3.965.0"
	}'
fi
printf '{"private": true, "dependencies": {"%s": "%s"}, "overrides": %s}\n' "$package" "$version" "$overrides" >package.json

npm install --package-lock-only --ignore-scripts --lockfile-version 3 --omit-lockfile-registry-resolved --no-audit --no-fund

# One line a package, without what npm ci does not read: the name of this
# folder and who takes donations.
node -e '
	const lock = require("./package-lock.json");
	const lines = Object.entries(lock.packages).map(([path, { funding, ...pkg }]) =>
		JSON.stringify(path) + ":" + JSON.stringify(pkg));
	console.log(`{"lockfileVersion":${lock.lockfileVersion},"requires":true,"packages":{\n${lines.join(",\n")}\n}}`);
' >"$locks/$package-$version.json"
