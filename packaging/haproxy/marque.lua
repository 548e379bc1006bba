-- Asks Marque's verifier about a request: http-request lua.marque ENVIRONMENT SCOPE. The token has to be of that
-- environment and hold that scope; "-" in place of the scope demands none.
--
-- It decides nothing and refuses nothing. It leaves the verifier's status in txn.marque_status, the identity in
-- txn.marque_identity and so on; the rules after it let a request pass only when that status is 200. HAProxy goes on
-- after an error in Lua; here that leaves no status, and the request is refused.

local socket = "unix@/run/marque/marque.sock"
local timeout_ms = 500

local facts = { "identity", "workspace", "environment", "scopes", "credential", "revision" }

local function ask(txn, environment, scope)
    local sent = txn.http:req_get_headers()["authorization"]
    local tokens = {}
    -- All of them: two are the verifier's to refuse, not ours to choose from. HAProxy counts from 0, Lua from 1.
    for i = 0, sent and #sent or -1 do
        tokens[#tokens + 1] = sent[i]
    end
    return core.httpclient():get {
        url = "http://marque/auth?environment=" .. environment .. (scope ~= "-" and "&scope=" .. scope or ""),
        dst = socket,
        timeout = timeout_ms,
        headers = {
            ["host"] = { "marque" },
            ["authorization"] = tokens,
            ["x-real-ip"] = { txn.f:src() }, -- unix.client_address; "marque inspect" shows it as last used from
        },
    }
end

core.register_action("marque", { "http-req" }, function(txn, environment, scope)
    txn:set_var("txn.marque_status", 0)
    local answer = ask(txn, environment, scope)
    for _, fact in ipairs(facts) do
        local value = answer.headers and answer.headers["x-marque-" .. fact]
        txn:set_var("txn.marque_" .. fact, value and value[0] or "")
    end
    local challenge = answer.headers and answer.headers["www-authenticate"]
    txn:set_var("txn.marque_challenge", challenge and challenge[0] or "")
    txn:set_var("txn.marque_status", answer.status or 0)
end, 2)
