-- Adds amounts to what all gateways have used. KEYS: one for each amount. ARGV: microseconds since
-- the round before, milliseconds to keep a sum, a letter for each key (d: a debt, s: a sum), then
-- the amounts. A debt is kept with the time at which it was so much; it decreases by the clock of
-- this server, and a clock that is set back takes nothing away.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local since, keep, kinds = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local totals = {}
for i, key in ipairs(KEYS) do
  local amount = tonumber(ARGV[3 + i])
  if string.sub(kinds, i, i) == 's' then
    totals[i] = redis.call('INCRBY', key, ARGV[3 + i])
    redis.call('PEXPIRE', key, keep)
  else
    local debt = -since
    local was = redis.call('GET', key)
    if was then
      local owed, at = string.match(was, '^(-?%d+) (%d+)$')
      debt = math.max(debt, tonumber(owed) - math.max(now - tonumber(at), 0))
    end
    debt = debt + amount
    local owed = math.max(debt, 0)
    redis.call('SET', key, string.format('%.0f %.0f', debt, now), 'PX', string.format('%.0f', math.ceil((owed + since) / 1000) + 1000))
    totals[i] = owed
  end
end
return totals
