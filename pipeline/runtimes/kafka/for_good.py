"""What waiting does not mend, of what a poll or a commit of kafka-python raises."""

from __future__ import annotations

from kafka import errors

#: All else passes: a broker that goes down says strange things.
FOR_GOOD = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.UnsupportedVersionError,
    errors.UnsupportedCodecError,
    errors.CorruptRecordError,  # kafka-python would go on without the partition, and say nothing
    errors.InvalidTopicError,
    errors.InvalidGroupIdError,
    errors.InvalidSessionTimeoutError,
    errors.InconsistentGroupProtocolError,
    errors.FencedInstanceIdError,
)
