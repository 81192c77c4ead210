"""Types of events that agents, circles, tasks and memories speak in."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """The usual types; any dotted topic is a type as well."""

    AGENT_STARTED = "agent.started"
    AGENT_STOPPED = "agent.stopped"
    AGENT_TASK_ASSIGNED = "agent.task.assigned"
    AGENT_TASK_COMPLETED = "agent.task.completed"
    AGENT_TASK_FAILED = "agent.task.failed"
    AGENT_TOOL_EXECUTED = "agent.tool.executed"
    MEMORY_CREATED = "memory.created"
    MEMORY_SHARED = "memory.shared"
    MEMORY_RECALLED = "memory.recalled"
    CIRCLE_CREATED = "circle.created"
    CIRCLE_STARTED = "circle.started"
    CIRCLE_STOPPED = "circle.stopped"
    CIRCLE_MEMBER_ADDED = "circle.member.added"
    CIRCLE_MEMBER_REMOVED = "circle.member.removed"
    TASK_CREATED = "task.created"
    TASK_ASSIGNED = "task.assigned"
    TASK_STARTED = "task.started"
    TASK_COMPLETED = "task.completed"
    TASK_FAILED = "task.failed"
    TASK_CONFLICT_DETECTED = "task.conflict.detected"
    CONVERSATION_MESSAGE = "conversation.message"
    CONVERSATION_TURN_COMPLETE = "conversation.turn.complete"
    SYSTEM_ERROR = "system.error"
    SYSTEM_WARNING = "system.warning"
