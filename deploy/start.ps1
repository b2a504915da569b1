# Starts the whole stack from PowerShell, or only the services named: deploy\start.ps1 [detector notifier ...]
# Needs Docker Desktop, whose Linux environment (WSL) also runs the script that writes the secrets. Stop: docker compose down
param([Parameter(ValueFromRemainingArguments)] [string[]] $Services = @())
$ErrorActionPreference = "Stop"
Set-Location (Split-Path -Parent $PSScriptRoot)

foreach ($tool in "docker", "wsl") {
    if (-not (Get-Command $tool -ErrorAction SilentlyContinue)) { throw "$tool is missing: install Docker Desktop with its WSL backend" }
}
if (-not (Test-Path .env)) { wsl sh deploy/make-env; if ($LASTEXITCODE) { throw "deploy/make-env failed" } }
docker compose up -d --wait @Services
exit $LASTEXITCODE
