// kith/core/error.hpp — what the library says when the world or the caller's data stops it.
//
// One exception type and one place that throws it: a single breakpoint, and a single place that changes in a build
// without exceptions. Ordinary answers such as "no such key" are values (std::optional, bool), never errors.
//
// Memory: what the heap refuses comes out as std::bad_alloc; what the system or a C library refuses, be it address
// space, a map, a thread or memory of its own, as Errc::out_of_memory. Every function that is not noexcept may raise
// either of them. Then holds what it promises for its other errors: of a collection, that a call which raised has
// changed no record, and that the collection goes on. So Throws does not repeat them, unless it says when they come, or
// what else holds then.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#ifndef __cpp_exceptions
#include <cstdlib>
#endif

namespace kith::inline v0 {

/// What kind of trouble; the text of the Error says which file, field or record.
enum class Errc : std::uint8_t {
    invalid_argument,         ///< the caller's data or setting is refused; nothing was written
    already_exists,           ///< insert of a key that is present; nothing was written
    not_found,                ///< a collection, or a key that an update names, is missing
    closed,                   ///< the collection was closed
    read_only,                ///< a write on a collection that was opened for reading
    locked,                   ///< another process or handle holds the collection
    schema_mismatch,          ///< the stored schema differs from the program's
    not_a_collection,         ///< the path holds something else
    corrupt,                  ///< stored bytes are damaged; the text names file and offset
    unsupported_version,      ///< written by a format this build does not read
    unsupported_file_system,  ///< a network's, whose locks and maps cannot keep a collection whole
    io,                       ///< the operating system refused a read or write
    disk_full,                ///< no space left; free some and go on
    out_of_memory,            ///< the system refused memory or address space; where the heap did, it is std::bad_alloc
    forked,                   ///< the handle was made by a parent process
    poisoned,                 ///< a sync failed earlier: reopen the collection to recover
    limit_exceeded,           ///< a documented limit was passed
    cancelled,                ///< a progress callback or a stop token asked to stop; nothing has changed
    timed_out,                ///< a deadline passed; nothing has changed
};

/// The name of an error code, as it stands in the enumeration.
constexpr std::string_view name(Errc code) noexcept {
    switch (code) {
        case Errc::invalid_argument:
            return "invalid_argument";
        case Errc::already_exists:
            return "already_exists";
        case Errc::not_found:
            return "not_found";
        case Errc::closed:
            return "closed";
        case Errc::read_only:
            return "read_only";
        case Errc::locked:
            return "locked";
        case Errc::schema_mismatch:
            return "schema_mismatch";
        case Errc::not_a_collection:
            return "not_a_collection";
        case Errc::corrupt:
            return "corrupt";
        case Errc::unsupported_version:
            return "unsupported_version";
        case Errc::unsupported_file_system:
            return "unsupported_file_system";
        case Errc::io:
            return "io";
        case Errc::disk_full:
            return "disk_full";
        case Errc::out_of_memory:
            return "out_of_memory";
        case Errc::forked:
            return "forked";
        case Errc::poisoned:
            return "poisoned";
        case Errc::limit_exceeded:
            return "limit_exceeded";
        case Errc::cancelled:
            return "cancelled";
        case Errc::timed_out:
            return "timed_out";
    }
    return "unknown";
}

/// The one exception of the library: a code to act on and a sentence to read.
class Error : public std::runtime_error {
public:
    Error(Errc code, const std::string& text) : std::runtime_error(text), code_(code) {}

    [[nodiscard]] Errc code() const noexcept { return code_; }

private:
    Errc code_;
};

/// Stops the current operation with `code` and `text`.
/// Throws: Error, always. In a build without exceptions it ends the program.
[[noreturn]] inline void raise(Errc code, const std::string& text) {
#ifdef __cpp_exceptions
    throw Error(code, text);
#else
    static_cast<void>(code);
    static_cast<void>(text);
    std::abort();
#endif
}

/// Calls `act` and hands back what it raised, or null: for work done on behalf of another thread.
template <class Act>
[[nodiscard]] std::exception_ptr attempt(Act&& act) {
#ifdef __cpp_exceptions
    try {
        act();
    } catch (...) {
        return std::current_exception();
    }
#else
    act();
#endif
    return nullptr;
}

/// Calls `act`; the text of an Error that it raises then begins with `where`.
template <class Act>
void naming(const std::string& where, Act&& act) {
#ifdef __cpp_exceptions
    try {
        act();
    } catch (const Error& error) {
        raise(error.code(), where + ": " + error.what());
    }
#else
    static_cast<void>(where);
    act();
#endif
}

/// What `failed` says of itself.
[[nodiscard]] inline std::string text_of(const std::exception_ptr& failed) {
#ifdef __cpp_exceptions
    try {
        std::rethrow_exception(failed);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception of the program's own";
    }
#else
    return {};
#endif
}

/// The Error that `attempt` handed back, as a value; nothing for null and for every other exception.
[[nodiscard]] inline std::optional<Error> as_error(const std::exception_ptr& failed) {
#ifdef __cpp_exceptions
    if (failed == nullptr) return std::nullopt;
    try {
        std::rethrow_exception(failed);
    } catch (const Error& error) {
        return error;
    } catch (...) {
        return std::nullopt;
    }
#else
    static_cast<void>(failed);
    return std::nullopt;
#endif
}

}  // namespace kith::inline v0
