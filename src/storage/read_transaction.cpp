// src/storage/read_transaction.cpp — what one commit left: looked up, walked in order, verified.
#include "storage/environment_state.hpp"

#include "kith/core/bytes.hpp"

#include <string>
#include <utility>

namespace kith::inline v0::detail {

struct ReadTransaction::Impl {
    explicit Impl(std::shared_ptr<EnvironmentState> environment)
        : state(std::move(environment)), transaction(state->take_reader()) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (state->is_ours()) state->give_back(transaction);
    }

    std::optional<std::string_view> get(Table table, std::string_view key) const {
        if (key.empty() || key.size() > max_key_bytes) return std::nullopt;
        MDB_val name = view_of(key);
        MDB_val value = {};
        const int code = ::mdb_get(transaction, state->tables[table], &name, &value);
        if (code == MDB_NOTFOUND) return std::nullopt;
        state->check(code, "read");
        return state->checked(table, key, text_of(value));
    }

    std::uint64_t id_of(std::string_view key, std::string_view value) const {
        std::uint64_t id = 0;
        ByteReader reader(value);
        if (!reader.u64(id) || reader.remaining() != 0) {
            raise_damaged(state->file, printed_key(keys, key) + ": its value is not an id");
        }
        return id;
    }

    /// Calls `visit(key, value)` from the first key that is not below `from`, or `back` before it, until it returns
    /// false.
    template <class Visit>
    void scan(Table table, std::string_view from, Visit&& visit, unsigned back = 0) const {
        MDB_cursor* opened = nullptr;
        state->check(::mdb_cursor_open(transaction, state->tables[table], &opened), "read");
        const Cursor cursor(opened);
        MDB_val key = view_of(from);
        MDB_val value = {};
        int code = ::mdb_cursor_get(opened, &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        for (; back > 0; --back) {
            code = ::mdb_cursor_get(opened, &key, &value, code == 0 ? MDB_PREV : MDB_LAST);
            if (code == MDB_NOTFOUND) code = ::mdb_cursor_get(opened, &key, &value, MDB_FIRST);
        }
        for (; code == 0; code = ::mdb_cursor_get(opened, &key, &value, MDB_NEXT)) {
            const std::string_view name = text_of(key);
            if (!visit(name, state->checked(table, name, text_of(value)))) return;
        }
        if (code != MDB_NOTFOUND) state->check(code, "read");
    }

    std::optional<std::uint64_t> next_row_id(std::uint64_t from) const {
        MDB_cursor* opened = nullptr;
        state->check(::mdb_cursor_open(transaction, state->tables[rows], &opened), "read");
        const Cursor cursor(opened);
        const RowKey least(from);
        MDB_val key = view_of(least.text());
        MDB_val value = {};
        const int code = ::mdb_cursor_get(opened, &key, &value, MDB_SET_RANGE);
        if (code == MDB_NOTFOUND) return std::nullopt;
        state->check(code, "read");
        return row_id(text_of(key));
    }

    std::uint64_t count(Table table) const {
        MDB_stat numbers = {};
        state->check(::mdb_stat(transaction, state->tables[table], &numbers), "read");
        return numbers.ms_entries;
    }

    std::shared_ptr<EnvironmentState> state;
    MDB_txn* transaction;
};

ReadTransaction::ReadTransaction(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ReadTransaction::ReadTransaction(ReadTransaction&&) noexcept = default;
ReadTransaction& ReadTransaction::operator=(ReadTransaction&&) noexcept = default;
ReadTransaction::~ReadTransaction() = default;

std::optional<std::string_view> ReadTransaction::row(std::uint64_t id) const {
    return impl_->get(rows, RowKey(id).text());
}

std::optional<std::uint64_t> ReadTransaction::key(std::string_view key) const {
    const std::optional<std::string_view> value = impl_->get(keys, key);
    if (value.has_value()) return impl_->id_of(key, *value);
    // A key that rotted is not found under its name, but stands beside its place, where its checksum betrays it.
    impl_->scan(keys, key, [left = 2](auto, auto) mutable { return --left > 0; }, 1);
    return std::nullopt;
}

std::optional<std::string_view> ReadTransaction::state(std::string_view name) const {
    return impl_->get(state_records, name);
}

std::optional<std::uint64_t> ReadTransaction::next_row_id(std::uint64_t from) const {
    return impl_->next_row_id(from);
}

void ReadTransaction::for_each_row(std::uint64_t first, std::uint64_t last,
                                   const std::function<bool(std::uint64_t, std::string_view)>& visit) const {
    impl_->scan(rows, RowKey(first).text(), [&](std::string_view key, std::string_view row) {
        const std::uint64_t id = row_id(key);
        return id <= last && visit(id, row);
    });
}

void ReadTransaction::for_each_key(const std::function<bool(std::string_view, std::uint64_t)>& visit) const {
    impl_->scan(keys, {},
                [&](std::string_view key, std::string_view value) { return visit(key, impl_->id_of(key, value)); });
}

std::uint64_t ReadTransaction::commit_number() const {
    return impl_->state->earlier_commits + ::mdb_txn_id(impl_->transaction);
}

std::uint64_t ReadTransaction::row_count() const {
    return impl_->count(rows);
}
std::uint64_t ReadTransaction::key_count() const {
    return impl_->count(keys);
}

ReadTransaction Environment::read() const {
    state_->check_usable();
    return ReadTransaction(std::make_unique<ReadTransaction::Impl>(state_));
}

}  // namespace kith::inline v0::detail
