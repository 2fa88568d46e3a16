-- What an Application Load Balancer does to a request that Envoy has no setting for:
-- the X-Amzn-Trace-Id header, and redirects with #{…} placeholders.
math.randomseed(os.time() + math.floor(os.clock() * 1000000))

local function new_id(member)
  local random = math.random
  return string.format("%s=1-%08x-%06x%06x%06x%06x", member, os.time(), random(0, 0xffffff), random(0, 0xffffff),
    random(0, 0xffffff), random(0, 0xffffff))
end

local function trace(headers)
  local given = headers:get("x-amzn-trace-id")
  if given == nil then
    headers:add("x-amzn-trace-id", new_id("Root"))
  elseif string.find(given, "Root=", 1, true) then
    headers:replace("x-amzn-trace-id", new_id("Self") .. ";" .. given)
  else
    headers:replace("x-amzn-trace-id", given .. ";" .. new_id("Root"))
  end
end

local function filled(template, values)
  return (string.gsub(template, "#{(%w+)}", values))
end

local function redirect(handle, config)
  local headers = handle:headers()
  local path, query = string.match(headers:get(":path"), "^/?([^?]*)%??(.*)$")
  local values = {
    protocol = config.scheme,
    host = (string.gsub(headers:get(":authority") or "", ":%d+$", "")),
    port = config.listener_port,
    path = path,
    query = query,
  }
  local location = string.lower(filled(config.protocol, values)) .. "://" .. filled(config.host, values)
    .. ":" .. filled(config.port, values) .. filled(config.path, values)
  local wanted = filled(config.query, values)
  if wanted ~= "" then
    location = location .. "?" .. wanted
  end
  handle:respond({[":status"] = config.status, ["location"] = location, ["server"] = "awselb/2.0",
    ["content-type"] = "text/html"}, config.body)
end

function envoy_on_request(handle)
  local config = handle:metadata():get("redirect")
  if config ~= nil then
    redirect(handle, config)
  else
    trace(handle:headers())
  end
end
