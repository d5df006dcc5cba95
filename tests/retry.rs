//! The names of the close codes, and whether connecting again may help (RFC 6455, section 7.2.3).

use fullduplex::CloseCode;

/// RIANA-05: the registered codes have their names, in words.
#[test]
fn registered_codes_have_names() {
    let table = [
        (1000, "normal closure"),
        (1001, "going away"),
        (1002, "protocol error"),
        (1003, "unsupported data"),
        (1005, "no status received"),
        (1006, "abnormal closure"),
        (1007, "invalid payload data"),
        (1008, "policy violation"),
        (1009, "message too big"),
        (1010, "mandatory extension missing"),
        (1011, "internal error"),
        (1012, "service restart"),
        (1013, "try again later"),
        (1014, "bad gateway"),
        (1015, "TLS handshake failed"),
        (3000, "unauthorized"),
        (3003, "forbidden"),
        (3008, "timeout"),
    ];
    for code in 0..=u16::MAX {
        let name = table.iter().find(|row| row.0 == code).map(|row| row.1);
        let code_text = code.to_string();
        let shown = match name {
            Some(name) => format!("{code_text} {name}"),
            None => code_text,
        };
        assert_eq!(CloseCode::from(code).name(), name);
        assert_eq!(CloseCode::from(code).to_string(), shown);
    }
}

/// RIANA-05: the constants are the codes of the registry.
#[test]
fn constants_hold_the_registered_numbers() {
    let table = [
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
        (CloseCode::UNAUTHORIZED, 3000),
        (CloseCode::FORBIDDEN, 3003),
        (CloseCode::TIMEOUT, 3008),
    ];
    for (code, number) in table {
        assert_eq!(u16::from(code), number);
    }
}

/// RIANA-07: exactly these codes tell of something that may pass.
#[test]
fn four_codes_are_worth_a_retry() {
    for code in 0..=u16::MAX {
        let retryable = matches!(code, 1001 | 1006 | 1012 | 1013);
        assert_eq!(CloseCode::from(code).is_retryable(), retryable, "{code}");
    }
}
