-- Posts the lines of a file in turn, one JSON document a line, and ends with one line of JSON.
-- Arguments: path, file. It checks no answers; that is done before the clock runs.

local requests, turn = {}, 0

function init(arguments)
  local path, file = arguments[1], arguments[2]
  for line in io.lines(file) do
    requests[#requests + 1] = wrk.format("POST", path, {["Content-Type"] = "application/json"}, line)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
