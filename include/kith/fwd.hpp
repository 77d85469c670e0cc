// kith/fwd.hpp — the names a user's own headers may need before they include the library.
#pragma once

namespace kith::inline v0 {

template <class S>
class Collection;

template <class R>
class Condition;

class Error;

template <class Record>
struct Hit;

template <class Record, class... Attributes>
class Schema;

struct Options;
struct RecoveryReport;

}  // namespace kith::inline v0
