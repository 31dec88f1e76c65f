-- The same ACL in Lua, as fast as we know to write it: tables made at start, plain finds that LuaJIT
-- compiles, no patterns on the way of a request but for lists of several ids.
local find, sub, gmatch = string.find, string.sub, string.gmatch
local M, tokens = {}, {}
local methods = { GET = true, POST = true, PUT = true }
local unknown = '{"errors":[{"code":401,"reason":"invalid or expired token"}],"result":[]}'
local refused = '{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}'
local prefix = "/gw/devices/"

function M.load(path)
	for line in io.lines(path) do
		local key, cid, ids = string.match(line, "^(%S+) (%S+) (%S+)$")
		local set = {}
		for id in gmatch(ids, "%d+") do set[id] = true end
		tokens["FlespiToken " .. key] = { ids = ids, set = set, cid = cid }
	end
end

-- denial returns the body for ids that are denied.
local function denial(ids)
	local errors = {}
	for i, id in ipairs(ids) do
		errors[i] = '{"code":6,"id":' .. id .. ',"reason":"access denied to \'\\/devices\\/' .. id .. '\'"}'
	end
	return '{"errors":[' .. table.concat(errors, ",") .. '],"result":[]}'
end

-- list judges several ids: all of them or none, since nothing here merges errors into an answer.
local function list(token, selector, uri)
	local denied = {}
	for id in gmatch(selector, "[^,]+") do
		if not token.set[id] then denied[#denied + 1] = id end
	end
	if #denied == 0 then return nil, uri end
	return 403, denial(denied)
end

-- decide returns nil and the target to forward, or a status and the body of a refusal.
local function decide()
	local var = ngx.var
	local token = tokens[var.http_authorization]
	if not token then return 401, unknown end
	local uri = var.request_uri
	if not methods[var.request_method] or sub(uri, 1, 12) ~= prefix then return 403, refused end
	local stop = find(uri, "/", 13, true) or find(uri, "?", 13, true)
	local selector = stop and sub(uri, 13, stop - 1) or sub(uri, 13)
	if selector == "all" then
		return nil, stop and prefix .. token.ids .. sub(uri, stop) or prefix .. token.ids
	end
	if token.set[selector] then return nil, uri end
	return list(token, selector, uri)
end

-- access is the form that most people write: access_by_lua.
function M.access()
	local status, text = decide()
	if not status then
		ngx.var.target = text
		return
	end
	ngx.status = status
	ngx.header["Content-Length"] = #text
	ngx.print(text)
	return ngx.exit(status)
end

-- full is access, and names the token's account to the backend.
function M.full()
	local token = tokens[ngx.var.http_authorization]
	if token then ngx.var.cid = token.cid end
	return M.access()
end

-- set is the cheapest form: set_by_lua makes no coroutine, and nginx itself sends the refusal.
function M.set()
	local status, text = decide()
	if not status then return text end
	ngx.var.denial = text
	return status
end

return M
