// store/sealing_key.h: the key that seals the log, made when it is first needed: most commands only read.
#pragma once

#include <functional>

#include "base/secret.h"

namespace marque::store {

class SealingKey {
 public:
    using Make = std::function<Secret()>;
    explicit SealingKey(Make make) : make_(std::move(make)) {}

    const Secret& get() {
        if (key_.empty()) key_ = make_();
        return key_;
    }

 private:
    Make make_;
    Secret key_;
};

}  // namespace marque::store
