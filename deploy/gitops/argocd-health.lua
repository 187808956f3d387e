-- Argo CD's health of a RedisSentinelCluster: docs/gitops.md says how it is installed.
-- Healthy: it can be used and the spec is true on the hosts. Progressing: it comes by itself. Suspended: somebody wanted
-- it so, or is waited for; nothing is wrong. Degraded: nothing goes on without a person, or it cannot be used.
local health = { status = "Progressing", message = "The operator has not looked at it yet." }
local status = obj.status
if status == nil or status.phase == nil then
  return health
end
health.message = status.message

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

-- What stalled an earlier spec may be mended by this one.
local stalled = holds("Stalled") and conditions.Stalled.observedGeneration == obj.metadata.generation
local waits = { Paused = true, Observing = true, WaitingForYou = true }

if obj.metadata.deletionTimestamp ~= nil then
  return health
elseif stalled or (status.phase == "Unavailable" and not holds("Reconciling")) then
  health.status = "Degraded"
elseif holds("Reconciling") or status.observedGeneration ~= obj.metadata.generation then
  return health
elseif not holds("Ready") then
  health.status = "Degraded"
elseif waits[status.phase] then
  health.status = "Suspended"
else
  health.status = "Healthy"
end
return health
