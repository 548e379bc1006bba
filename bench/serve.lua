-- wrk's part of bench/serve.py: asks about the tokens of a file, each in its turn, DEPTH requests in one write.
--
-- arguments: TOKENS_FILE FORM DEPTH [CALLER'S TOKEN]; the requests are made before the clock runs.
local batches, at = {}, 0

local forms = {
   auth = function(token)
      return "GET /auth HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer " .. token .. "\r\n\r\n"
   end,
   verify = function(token)
      local body = '{"token":"' .. token .. '"}'
      return "POST /v1/verify HTTP/1.1\r\nHost: marque\r\nContent-Type: application/json\r\nContent-Length: " ..
         #body .. "\r\n\r\n" .. body
   end,
   introspect = function(token, caller)
      local body = "token=" .. token
      return "POST /oauth2/introspect HTTP/1.1\r\nHost: marque\r\nAuthorization: Bearer " .. caller ..
         "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
   end,
}

function init(arguments)
   local form, depth, batch = forms[arguments[2]], tonumber(arguments[3]), {}
   for token in io.lines(arguments[1]) do
      batch[#batch + 1] = form(token, arguments[4])
      if #batch == depth then
         batches[#batches + 1] = table.concat(batch)
         batch = {}
      end
   end
end

function request()
   at = at % #batches + 1
   return batches[at]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format('{"requests":%d,"seconds":%f,"p50_us":%d,"p99_us":%d,"failed":%d}\n', summary.requests,
      summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
