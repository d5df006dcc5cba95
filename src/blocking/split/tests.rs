pub(super) fn delay() {}
